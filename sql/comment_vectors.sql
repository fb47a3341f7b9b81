-- Says of a model's table of vectors what it holds, in comments.
--   select imgsim.comment_vectors('resnet18-print');
-- needs: model_named
create or replace function imgsim.comment_vectors(model text)
returns void
language plpgsql
as $$
declare
    m imgsim.model := imgsim.model_named(model);
begin
    execute format(
        'comment on table imgsim.%1$I is %2$L;
         comment on column imgsim.%1$I.image_id is %3$L;
         comment on column imgsim.%1$I.embedding is %4$L',
        m.embedding_table,
        format('The vectors of the model %s, one for each image', m.name),
        'The number of the image',
        format('%s numbers of half precision, together of length 1', m.dimension));
end
$$;
