-- By which text can an image be called, so that a table about it can be read here or elsewhere? By
-- its name, where no other bears it, else by its path, else by its id.
--   select imgsim.image_called(7);
create or replace function imgsim.image_called(image_id bigint)
returns text
language sql
stable
as $$
    select case
        when not exists (
            select from imgsim.image o where o.name = i.name and o.image_id <> i.image_id
        ) then i.name
        when i.frames = 1 and i.x is null then i.path
        else i.image_id::text
    end
    from imgsim.image i
    where i.image_id = image_called.image_id
$$;
