-- Which image is meant by a name, a path or an id written as text?
--   select imgsim.image_id('096240010000330_0');
-- needs: composed
create or replace function imgsim.image_id(image text)
returns bigint
language plpgsql
stable
as $$
declare
    wanted text := imgsim.composed(image);
    stem text := regexp_replace(regexp_replace(wanted, '^.*/', ''), '(.)\.[^.]*$', '\1');
    ids bigint[];
begin
    select array_agg(i.image_id order by i.image_id) into ids
    from imgsim.image i
    where i.name = wanted;

    if ids is null then
        select array_agg(i.image_id order by i.image_id) into ids
        from imgsim.image i
        where i.path = image_id.image;
    end if;

    -- A path may be typed composed and stored decomposed, or the other way round.
    if ids is null and wanted like '%/%' then
        select array_agg(i.image_id order by i.image_id) into ids
        from imgsim.image i
        where i.path in (
            select o.path
            from imgsim.image o
            where o.name in (stem, stem || '#1') and imgsim.composed(o.path) = wanted);
    end if;

    if ids is null and image_id.image ~ '^[0-9]{1,18}$' then
        select array_agg(i.image_id) into ids
        from imgsim.image i
        where i.image_id = image_id.image::bigint;
    end if;

    if ids is null then
        raise exception 'no image is called %', quote_literal(image)
            using errcode = 'no_data_found',
                  hint = 'an image is called by its name (the file''s without its ending), its path or its id';
    elsif cardinality(ids) > 1 then
        raise exception '% images are called %: ids %',
            cardinality(ids), quote_literal(image), array_to_string(ids[:9], ', ')
            using errcode = 'cardinality_violation',
                  hint = 'give one of the ids, or a path';
    end if;

    return ids[1];
end
$$;
