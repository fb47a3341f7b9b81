-- Which model is meant where none is named? With 1 and 2: which two, where two are compared?
--   select imgsim.default_model(), imgsim.default_model(1), imgsim.default_model(2);
--
-- ImageNet's two where the store has both, else imgsim's own two, else the first two added; of one
-- model alone it is both. By itself ResNet-50 of ImageNet's, of imgsim's own the better ResNet-18.
create or replace function imgsim.default_model(place integer default null)
returns text
language sql
stable
return coalesce(
    (
        select coalesce(pair.names[place], pair.alone)
        from (values
            (1, array['resnet18', 'resnet50'], 'resnet50'),
            (2, array['resnet18-print', 'resnet50-print'], 'resnet18-print')
        ) as pair (choice, names, alone)
        where pair.names <@ array(select m.name from imgsim.model m)
        order by pair.choice
        limit 1
    ),
    (
        select first.names[least(coalesce(place, 2), cardinality(first.names))]
        from (
            select array_agg(m.name order by m.model_id) as names
            from imgsim.model m
        ) as first
        where first.names is not null
    ),
    (array['resnet18', 'resnet50'])[coalesce(place, 2)]
);
