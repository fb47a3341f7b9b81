-- What the tables hold, for psql's \d+ and other browsers. Here and not in a migration, because a
-- table that is distributed over shards loses its comments.
-- needs: neighbour
-- Only a schema's owner may comment on it: it may be an administrator's.
do $$
begin
    if pg_has_role((select n.nspowner from pg_namespace n where n.nspname = 'imgsim'), 'usage') then
        comment on schema imgsim is 'imgsim: printed illustrations, their vectors and their likeness';
    end if;
end
$$;
comment on table imgsim.image is 'One row per picture: a file, or one page (frame) of a multi-page TIFF';
comment on column imgsim.image.name is 'The file''s name without its ending; #n is added for page n of several';
comment on column imgsim.image.path is 'Where the file was; a byte that is not UTF-8 is written \xNN, a backslash \\';
comment on column imgsim.image.sha256 is 'SHA-256 of the whole file, in hexadecimal';
comment on column imgsim.image.modified_ns is 'The file''s modification time, in nanoseconds since 1970';
comment on column imgsim.image.ecco_id is 'ECCO document, ten digits, text';
comment on column imgsim.image.page_id is 'ECCO page: document, four digits, 0';
comment on column imgsim.image.linked is 'Book and page come from a table (imgsim metadata link), which goes before the file''s name';
comment on table imgsim.model is 'A network with its weights and preprocessing; its vectors are in embedding_table';
comment on column imgsim.model.revision is 'Grows with every transaction that changes the model''s vectors';
comment on column imgsim.model.last_removal is 'The revision at which vectors of the model were last replaced or taken out';
comment on view imgsim.neighbour is 'The k nearest images of every image, per model, a row each; ties in the order of other_id';
comment on table imgsim.neighbour_list is 'The k nearest images of every image, per model, as two arrays in the order of rank; imgsim.neighbour has them as rows';
comment on table imgsim.neighbour_state is 'The k and the model revision that each model''s neighbour lists were computed for';
comment on column imgsim.neighbour_state.recall is 'Null for exact lists; of those found through the HNSW index, the measured share of the true neighbours';
comment on table imgsim.pair is 'Every pair of images at or above the stored threshold, once: image_id < other_id';
comment on table imgsim.pair_image is 'The images whose pairs are stored, and from which threshold; of two images the higher one counts';
comment on table imgsim.ecco_document is 'The bibliography: one row per ECCO document';
comment on table imgsim.ingest_run is 'One row per run of imgsim ingest: when, where, with which version, and what came of it';
comment on table imgsim.ingest_failure is 'Files that could not be taken in; a row goes when its file goes in after all';
comment on table imgsim.local_feature is 'Details of a picture (SIFT) and its ink in small, packed; for imgsim verify';
comment on table imgsim.verification is 'What imgsim verify found of two pictures laid upon each other, once: image_id < other_id';
comment on column imgsim.verification.probability is 'That both are of one block; of same block in part, that the part is';
comment on column imgsim.verification.transform is 'A 3 x 3 matrix, row by row, from pixels of the image to pixels of the other';
comment on column imgsim.verification.box is 'What agrees, in pixels of the image: left, top, right, bottom';
comment on table imgsim.group_state is 'Groups of re-use as imgsim group built them last; imgsim.reuse_group has them with years, books and places';
comment on column imgsim.group_state.density is 'The share of all pairs of the group''s images that are linked';
comment on column imgsim.group_state.weakest is 'The least probability on the group''s maximum spanning tree, that of weakest_id and weakest_other_id';
comment on column imgsim.group_state.bridge_id is 'With bridge_other_id the link whose loss alone would divide the group, and most evenly; null where there is none';
comment on table imgsim.group_member is 'The images of groups; an image is in one group at most';
comment on table imgsim.group_link is 'The pairs of images inside groups that evidence or a verdict takes for one block';
comment on table imgsim.group_run is 'One row per run of imgsim group: with which options, and what came of it';
comment on table imgsim.verdict is 'What scholars say of two pictures: nothing is changed or taken back, the latest of each scholar counts';
comment on table imgsim.migration is 'Which files of migrations/ and sql/ were applied, and their checksums';
comment on table imgsim.pair_state is 'The threshold and the model revision that each model''s pairs were computed for';
comment on column imgsim.ingest_run.timings is 'By stage: busy, seconds at work added up over threads; items; awaited, seconds that the others waited for it';
