-- Adds a model and its typed table of vectors; its id, also if it was there already.
--   select imgsim.add_model('resnet18', 'resnet18', 512, 'IMAGENET1K_V1', 'f37072fd…', 'fit');
--
-- `threshold` is the model's own (`imgsim.threshold_of`), and `threshold_from` what it was measured on.
-- The vectors are stored PLAIN where they fit a page: moved out of line (TOAST) they would be
-- fetched one by one at every comparison.
-- needs: comment_vectors
create or replace function imgsim.add_model(
    name text,
    architecture text,
    dimension integer,
    weights text,
    weights_sha256 text,
    preprocess text,
    training jsonb default null,
    threshold double precision default 0.94,
    threshold_from text default null
)
returns smallint
language plpgsql
as $$
declare
    table_name text := 'embedding_' || regexp_replace(add_model.name, '[.-]', '_', 'g');
    new_id smallint;
begin
    insert into imgsim.model
        (name, architecture, dimension, weights, weights_sha256, preprocess, training,
         threshold, threshold_from, embedding_table)
    values
        (add_model.name, add_model.architecture, add_model.dimension, add_model.weights,
         add_model.weights_sha256, add_model.preprocess, add_model.training,
         coalesce(add_model.threshold, 0.94), add_model.threshold_from, table_name)
    on conflict on constraint model_name_key do nothing
    returning model_id into new_id;

    if new_id is null then
        return (select m.model_id from imgsim.model m where m.name = add_model.name);
    end if;

    execute format(
        'create table imgsim.%I (
            image_id bigint primary key references imgsim.image on delete cascade,
            embedding @vector@.halfvec(%s) not null
        )',
        table_name, dimension);
    if dimension <= 4000 then
        execute format('alter table imgsim.%I alter column embedding set storage plain', table_name);
    end if;
    perform imgsim.comment_vectors(add_model.name);
    return new_id;
end
$$;
