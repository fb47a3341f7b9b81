-- Which models are meant where none is named: the first and the second of the two to compare.
--   select imgsim.default_model(1), imgsim.default_model(2);
--
-- ImageNet's two where the store has both, else imgsim's own two, else the first two added; of one
-- model alone it is both. The second is meant where one is asked for.
create or replace function imgsim.default_model(place integer default 2)
returns text
language sql
stable
as $$
    select coalesce(
        (
            select pair.names[place]
            from (values
                (1, array['resnet18', 'resnet50']),
                (2, array['resnet18-print', 'resnet50-print'])
            ) as pair (choice, names)
            where pair.names <@ array(select m.name from imgsim.model m)
            order by pair.choice
            limit 1
        ),
        (
            select first.names[least(place, cardinality(first.names))]
            from (
                select array_agg(m.name order by m.model_id) as names
                from imgsim.model m
            ) as first
            where first.names is not null
        ),
        (array['resnet18', 'resnet50'])[place]
    )
$$;
