-- Which images are meant by names, paths or ids written as text? For each text the ids that fit it:
-- none, one, or several.
--   select * from imgsim.images_called(array['096240010000330_0', 'scans/7.png', '9', 'nothing']);
--
-- What fits first counts: the name; the path; the id; the end of the path (`folder/name.jpg`), also
-- with another ending or none; without a folder the name of a file that is written with another
-- ending. A folder that is written is never passed over: many books have a page `0001.png`.
-- needs: composed
create or replace function imgsim.images_called(texts text[])
returns table (called text, image_ids bigint[])
language sql
stable
as $$
    select
        t.called,
        coalesce(named.ids, placed.ids, spelt.ids, numbered.ids, ending.ids, bare.ids, '{}')
    from (
        select
            s.called,
            s.wanted,
            s.tail,
            regexp_replace(s.tail, '(.)\.[^./]*$', '\1') as bare_tail,
            regexp_replace(regexp_replace(s.tail, '^.*/', ''), '(.)\.[^.]*$', '\1') as stem
        from (
            select
                u.called,
                imgsim.composed(u.called) as wanted,
                regexp_replace(translate(imgsim.composed(u.called), '\', '/'), '^(\./)+', '')
                    as tail
            from (select distinct unnest(texts) as called) u
        ) s
    ) t
    cross join lateral (
        select array_agg(i.image_id order by i.image_id) as ids
        from imgsim.image i
        where i.name = t.wanted
    ) named
    cross join lateral (
        select array_agg(i.image_id order by i.image_id) as ids
        from imgsim.image i
        where i.path = t.called
    ) placed
    cross join lateral (
        select array_agg(i.image_id order by i.image_id) as ids
        from imgsim.image i
        where i.name = t.stem and imgsim.composed(i.path) = t.wanted
    ) spelt
    cross join lateral (
        select array_agg(i.image_id) as ids
        from imgsim.image i
        where i.image_id = case when t.called ~ '^[0-9]{1,18}$' then t.called::bigint end
    ) numbered
    cross join lateral (
        select coalesce(
            array_agg(i.image_id order by i.image_id) filter (
                where right(imgsim.composed(i.path), length(t.tail) + 1) = '/' || t.tail
            ),
            array_agg(i.image_id order by i.image_id) filter (
                where right(
                    regexp_replace(imgsim.composed(i.path), '(.)\.[^./]*$', '\1'),
                    length(t.bare_tail) + 1
                ) = '/' || t.bare_tail
            )
        ) as ids
        from imgsim.image i
        where i.name = t.stem and t.tail like '%/%'
    ) ending
    cross join lateral (
        select coalesce(
            array_agg(i.image_id order by i.image_id) filter (
                where right(imgsim.composed(i.path), length(t.tail) + 1) = '/' || t.tail
            ),
            array_agg(i.image_id order by i.image_id)
        ) as ids
        from imgsim.image i
        where i.name = t.stem and t.tail not like '%/%'
    ) bare
$$;
