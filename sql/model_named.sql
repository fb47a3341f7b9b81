-- Which model is meant? Its row, or an error that lists those there are.
--   select * from imgsim.model_named('resnet18-print');
-- no path: whatever the caller's is, the names here are qualified or fit PostgreSQL's own exactly
create or replace function imgsim.model_named(model text)
returns imgsim.model
language plpgsql
stable
as $$
declare
    found_row imgsim.model;
begin
    select m.* into found_row
    from imgsim.model m
    where m.name = model_named.model;

    if found_row.model_id is null then
        raise exception 'no model is called %; there are: %',
            quote_literal(model),
            coalesce((select string_agg(m.name, ', ' order by m.name) from imgsim.model m), 'none')
            using errcode = 'no_data_found',
                  hint = 'add one with: imgsim model add NAME';
    end if;

    return found_row;
end
$$;
