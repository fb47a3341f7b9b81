-- The backgrounds of some images by one model, where their neighbour lists are stored.
--   select * from imgsim.backgrounds(1::smallint, array[7, 9]);
-- needs: background
-- no path: whatever the caller's is, the names here are qualified or fit PostgreSQL's own exactly
create or replace function imgsim.backgrounds(model_id smallint, image_ids bigint[])
returns table (image_id bigint, background double precision)
language plpgsql
stable
as $$
begin
    -- Planned only once there are lists: the plan for an empty table would be kept.
    if exists (select from imgsim.neighbour_state s where s.model_id = backgrounds.model_id) then
        return query
        select l.image_id, imgsim.background(l.similarities)
        from imgsim.neighbour_list l
        where l.model_id = backgrounds.model_id and l.image_id = any(image_ids);
    end if;
end
$$;
