-- Which images are meant by names, paths or ids written as text? For each text the ids that fit it:
-- none, one, or several.
--   select * from imgsim.images_called(array['096240010000330_0', 'scans/7.png', '9', 'nothing']);
--
-- What fits first counts: the name; the path; the id; the end of the path (`folder/name.jpg`); the
-- name of a file that is written with another ending.
create or replace function imgsim.images_called(texts text[])
returns table (called text, image_ids bigint[])
language sql
stable
as $$
    select t.called, coalesce(named.ids, placed.ids, numbered.ids, ending.ids, bare.ids, '{}')
    from (
        select
            u.called,
            regexp_replace(translate(u.called, '\', '/'), '^(\./)+', '') as tail,
            regexp_replace(
                regexp_replace(translate(u.called, '\', '/'), '^.*/', ''), '(.)\.[^.]*$', '\1'
            ) as stem
        from (select distinct unnest(texts) as called) u
    ) t
    cross join lateral (
        select array_agg(i.image_id order by i.image_id) as ids
        from imgsim.image i
        where i.name = t.called
    ) named
    cross join lateral (
        select array_agg(i.image_id order by i.image_id) as ids
        from imgsim.image i
        where i.path = t.called
    ) placed
    cross join lateral (
        select array_agg(i.image_id) as ids
        from imgsim.image i
        where i.image_id = case when t.called ~ '^[0-9]{1,18}$' then t.called::bigint end
    ) numbered
    cross join lateral (
        select array_agg(i.image_id order by i.image_id) as ids
        from imgsim.image i
        where i.name = t.stem and right(i.path, length(t.tail) + 1) = '/' || t.tail
    ) ending
    cross join lateral (
        select array_agg(i.image_id order by i.image_id) as ids
        from imgsim.image i
        where i.name = t.stem
    ) bare
$$;
