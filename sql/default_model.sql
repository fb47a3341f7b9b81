-- Which model is meant where none is named? With 1 and 2: which two, where two are compared?
--   select imgsim.default_model(), imgsim.default_model(1), imgsim.default_model(2);
--
-- By itself the best of those that the store has: imgsim's own ResNet-18, then its ResNet-50, then
-- ImageNet's ResNet-50. Of two: imgsim's own, else ImageNet's, else the first two that were added;
-- of one model alone it is both.
create or replace function imgsim.default_model(place integer default null)
returns text
language sql
stable
return coalesce(
    (
        select best.name
        from unnest(array['resnet18-print', 'resnet50-print', 'resnet50'])
            with ordinality as best (name, choice)
        join imgsim.model m on m.name = best.name
        where default_model.place is null
        order by best.choice
        limit 1
    ),
    (
        select pair.names[default_model.place]
        from (values
            (1, array['resnet18-print', 'resnet50-print']),
            (2, array['resnet18', 'resnet50'])
        ) as pair (choice, names)
        where default_model.place is not null
            and pair.names <@ array(select m.name from imgsim.model m)
        order by pair.choice
        limit 1
    ),
    (
        select first.names[least(coalesce(default_model.place, 2), cardinality(first.names))]
        from (
            select array_agg(m.name order by m.model_id) as names
            from imgsim.model m
        ) as first
        where first.names is not null
    ),
    (array['resnet18-print', 'resnet50-print'])[coalesce(default_model.place, 1)]
);
