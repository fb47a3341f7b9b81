-- What the tables and their columns hold, for psql's \d+ and other browsers. Here and not in a
-- migration, because a table that is distributed over shards loses its comments. Columns of views take
-- these over (imgsim/database/comments.py).
-- needs: neighbour, comment_vectors
-- Only a schema's owner may comment on it: it may be an administrator's.
do $$
begin
    if pg_has_role((select n.nspowner from pg_namespace n where n.nspname = 'imgsim'), 'usage') then
        comment on schema imgsim is 'imgsim: printed illustrations, their vectors and their likeness';
    end if;
end
$$;
comment on table imgsim.image is 'One row per picture: a file, one page (frame) of a multi-page TIFF, or a region of a page';
comment on column imgsim.image.image_id is 'The number of the image';
comment on column imgsim.image.name is 'The file''s name without its ending; #n is added for page n of several';
comment on column imgsim.image.path is 'Where the file was; a byte that is not UTF-8 is written \xNN, a backslash \\';
comment on column imgsim.image.frame is 'Which page (frame) of the file, counted from 1';
comment on column imgsim.image.frames is 'How many pages (frames) the file has';
comment on column imgsim.image.sha256 is 'SHA-256 of the whole file, in hexadecimal';
comment on column imgsim.image.bytes is 'The size of the file in bytes';
comment on column imgsim.image.modified_ns is 'The file''s modification time, in nanoseconds since 1970';
comment on column imgsim.image.width is 'Pixels from left to right';
comment on column imgsim.image.height is 'Pixels from top to bottom';
comment on column imgsim.image.x is 'Of a region: its left edge on the page shown upright, in pixels; null if the picture is the whole page';
comment on column imgsim.image.y is 'Of a region: its upper edge on the page shown upright, in pixels; null if the picture is the whole page';
comment on column imgsim.image.mode is 'How the pixels are stored, as Pillow names it: 1, L, RGB, I;16 and so on';
comment on column imgsim.image.format is 'The kind of file, as Pillow names it: PNG, TIFF, JPEG and so on';
comment on column imgsim.image.ecco_id is 'ECCO document, ten digits, text';
comment on column imgsim.image.page_id is 'ECCO page: document, four digits, 0';
comment on column imgsim.image.page_number is 'The page of the document, as a number';
comment on column imgsim.image.illustration is 'Which illustration of the page, counted from 0';
comment on column imgsim.image.linked is 'Book and page come from a table (imgsim metadata link), which goes before the file''s name';
comment on column imgsim.image.run_id is 'The run of imgsim ingest';
comment on column imgsim.image.added_at is 'When the image was first taken in';
comment on column imgsim.image.changed_at is 'When the image was last taken in with another content';

comment on table imgsim.region is 'Regions found on pages; those that are accepted are pictures from the next imgsim ingest on';
comment on column imgsim.region.region_id is 'The number of the region';
comment on column imgsim.region.path is 'The file of the page, as in imgsim.image';
comment on column imgsim.region.frame is 'Which page (frame) of the file, counted from 1';
comment on column imgsim.region.x is 'Its left edge on the page shown upright, in pixels';
comment on column imgsim.region.y is 'Its upper edge on the page shown upright, in pixels';
comment on column imgsim.region.width is 'Pixels from left to right';
comment on column imgsim.region.height is 'Pixels from top to bottom';
comment on column imgsim.region.number is 'Which region of the file, counted from 0; its picture is named by it';
comment on column imgsim.region.sha256 is 'SHA-256 of the file in which it was found';
comment on column imgsim.region.score is 'How sure the method was; null where it does not say';
comment on column imgsim.region.kind is 'What it is: picture, ornament, initial, stamp, type, or as the method calls it';
comment on column imgsim.region.state is 'proposed, accepted or rejected';
comment on column imgsim.region.by is 'Who has given it its state';
comment on column imgsim.region.method is 'How it was found: the format of the file it was loaded from, or the name of a method';
comment on column imgsim.region.version is 'The version of the method';
comment on column imgsim.region.at is 'When it was given its state';

comment on table imgsim.model is 'A network with its weights and preprocessing; its vectors are in embedding_table';
comment on column imgsim.model.model_id is 'The number of the model';
comment on column imgsim.model.name is 'What the model is called in commands and functions';
comment on column imgsim.model.architecture is 'The network, as torchvision names it';
comment on column imgsim.model.dimension is 'How many numbers a vector has';
comment on column imgsim.model.weights is 'The name of the weights, or the file that they came from';
comment on column imgsim.model.weights_sha256 is 'SHA-256 of the file of weights, in hexadecimal; of untrained weights, of their numbers';
comment on column imgsim.model.preprocess is 'How a picture is made ready for the network';
comment on column imgsim.model.embedding_table is 'The table of the vectors, in the schema imgsim';
comment on column imgsim.model.revision is 'Grows with every transaction that changes the model''s vectors';
comment on column imgsim.model.added_at is 'When the model was added';
comment on column imgsim.model.last_removal is 'The revision at which vectors of the model were last replaced or taken out';
comment on column imgsim.model.training is 'How the weights were trained: recipe, pictures, results; null if not known';
comment on column imgsim.model.threshold is 'The model''s own threshold: from which similarity on two pictures count as alike where none is given';
comment on column imgsim.model.threshold_from is 'What the threshold was measured on; null if it was not measured for this model';

comment on table imgsim.neighbour_list is 'The k nearest images of every image, per model, as two arrays in the order of rank; imgsim.neighbour has them as rows';
comment on column imgsim.neighbour_list.model_id is 'The model that ranked them';
comment on column imgsim.neighbour_list.image_id is 'The image whose neighbours these are';
comment on column imgsim.neighbour_list.other_ids is 'The nearest images, the nearest first';
comment on column imgsim.neighbour_list.similarities is 'Their similarities: cosines, rounded to seven decimals';

comment on table imgsim.neighbour_state is 'The k and the model revision that each model''s neighbour lists were computed for';
comment on column imgsim.neighbour_state.model_id is 'The number of the model';
comment on column imgsim.neighbour_state.k is 'How many neighbours a list holds, where there are so many images';
comment on column imgsim.neighbour_state.images is 'How many images had vectors then';
comment on column imgsim.neighbour_state.revision is 'The model''s revision then: older than the model''s own means older lists';
comment on column imgsim.neighbour_state.computed_at is 'When the lists were last brought up to date';
comment on column imgsim.neighbour_state.recall is 'Null for exact lists; of those found through the HNSW index, the measured share of the true neighbours';

comment on table imgsim.pair is 'Every pair of images at or above the stored threshold, once: image_id < other_id';
comment on column imgsim.pair.model_id is 'The model that compared them';
comment on column imgsim.pair.image_id is 'The image with the lower number';
comment on column imgsim.pair.other_id is 'The image with the higher number';
comment on column imgsim.pair.similarity is 'How alike they are: the cosine of their vectors, rounded to seven decimals';

comment on table imgsim.pair_image is 'The images whose pairs are stored, and from which threshold; of two images the higher one counts';
comment on column imgsim.pair_image.model_id is 'The number of the model';
comment on column imgsim.pair_image.image_id is 'The number of the image';
comment on column imgsim.pair_image.threshold is 'From which similarity the image''s pairs are stored';

comment on table imgsim.pair_state is 'The threshold and the model revision that each model''s pairs were computed for';
comment on column imgsim.pair_state.model_id is 'The number of the model';
comment on column imgsim.pair_state.threshold is 'From which similarity all pairs are stored';
comment on column imgsim.pair_state.images is 'How many images had vectors then';
comment on column imgsim.pair_state.revision is 'The model''s revision then: older than the model''s own means older pairs';
comment on column imgsim.pair_state.computed_at is 'When the pairs were last brought up to date';

comment on table imgsim.ecco_document is 'The bibliography: one row per ECCO document';
comment on column imgsim.ecco_document.ecco_id is 'ECCO document, ten digits, text';
comment on column imgsim.ecco_document.estc_id is 'ESTC number of the edition, in its normal form';
comment on column imgsim.ecco_document.ecco_full_title is 'The title of the book, in full';
comment on column imgsim.ecco_document.ecco_pages is 'How many pages the document has';
comment on column imgsim.ecco_document.language_primary is 'The language of the book, or its first';
comment on column imgsim.ecco_document.gatherings is 'The format by gatherings, such as 8vo';
comment on column imgsim.ecco_document.publication_year is 'The year of publication';
comment on column imgsim.ecco_document.publication_decade is 'The first year of the decade of publication';
comment on column imgsim.ecco_document.work_id is 'The work, which editions have in common';
comment on column imgsim.ecco_document.publication_place is 'The place of publication';
comment on column imgsim.ecco_document.publication_country is 'The country of publication';
comment on column imgsim.ecco_document.document_type is 'The type of document';
comment on column imgsim.ecco_document.sub_category is 'The genre or subject';
comment on column imgsim.ecco_document.authors is 'The authors, as one text';
comment on column imgsim.ecco_document.extra is 'Further columns of the metadata as they were loaded, and years as they were written';

comment on table imgsim.ingest_run is 'One row per run of imgsim ingest: when, where, with which version, and what came of it';
comment on column imgsim.ingest_run.run_id is 'The number of the run';
comment on column imgsim.ingest_run.started_at is 'When it began';
comment on column imgsim.ingest_run.finished_at is 'When it ended; null while it runs';
comment on column imgsim.ingest_run.status is 'running, finished, interrupted or failed';
comment on column imgsim.ingest_run.host is 'The machine it ran on';
comment on column imgsim.ingest_run.process_id is 'Its process on that machine';
comment on column imgsim.ingest_run.imgsim_version is 'The version of imgsim';
comment on column imgsim.ingest_run.arguments is 'What was asked for: paths, models, options';
comment on column imgsim.ingest_run.counts is 'How many files were taken in, unchanged, failed and so on';
comment on column imgsim.ingest_run.timings is 'By stage: busy, seconds at work added up over threads; items; awaited, seconds that the others waited for it';

comment on table imgsim.ingest_failure is 'Files that could not be taken in; a row goes when its file goes in after all';
comment on column imgsim.ingest_failure.failure_id is 'The number of the failure';
comment on column imgsim.ingest_failure.path is 'Where the file was; a byte that is not UTF-8 is written \xNN, a backslash \\';
comment on column imgsim.ingest_failure.frame is 'Which page (frame) of the file, counted from 1';
comment on column imgsim.ingest_failure.stage is 'What failed: scan, read, decode, embed or store';
comment on column imgsim.ingest_failure.reason is 'Why the file could not be taken in';
comment on column imgsim.ingest_failure.bytes is 'The size of the file in bytes';
comment on column imgsim.ingest_failure.run_id is 'The run of imgsim ingest';
comment on column imgsim.ingest_failure.failed_at is 'When it failed last';

comment on table imgsim.local_feature is 'Details of a picture (SIFT) and its ink in small, packed; for imgsim verify';
comment on column imgsim.local_feature.image_id is 'The number of the image';
comment on column imgsim.local_feature.version is 'The version of the method that found them';
comment on column imgsim.local_feature.sha256 is 'SHA-256 of the file that they were found in';
comment on column imgsim.local_feature.width is 'The width of the picture that they were found in, in pixels';
comment on column imgsim.local_feature.height is 'The height of the picture that they were found in, in pixels';
comment on column imgsim.local_feature.points is 'How many details were found';
comment on column imgsim.local_feature.features is 'The details, packed (imgsim/reuse/evidence/features.py)';
comment on column imgsim.local_feature.ink is 'The ink of the picture in small, packed';
comment on column imgsim.local_feature.cells is 'What the middle layer of a network sees in it, packed (imgsim/reuse/evidence/cells.py)';
comment on column imgsim.local_feature.dark_ground is 'More of the picture is nearer to its black than to its white: it may be a negative';

comment on table imgsim.negative is 'Pictures with a dark ground that were looked at with black and white exchanged, and what they are negatives of';
comment on column imgsim.negative.image_id is 'The picture with a dark ground';
comment on column imgsim.negative.positive_id is 'The stored picture that it is a negative of; null if none was found';
comment on column imgsim.negative.similarity is 'Of the two, with black and white of the first exchanged';
comment on column imgsim.negative.relation is 'What the two then are to each other: same block or same block in part';
comment on column imgsim.negative.probability is 'That both are then of one block';
comment on column imgsim.negative.looked_at is 'When the picture was looked at';

comment on table imgsim.verification is 'What imgsim verify found of two pictures laid upon each other, once: image_id < other_id';
comment on column imgsim.verification.image_id is 'The image with the lower number';
comment on column imgsim.verification.other_id is 'The image with the higher number';
comment on column imgsim.verification.relation is 'What the two are to each other: same block, same block in part, copy, unrelated or undecided';
comment on column imgsim.verification.probability is 'That both are of one block; of same block in part, that the part is';
comment on column imgsim.verification.copy_probability is 'That one was cut after the other, or both after one model';
comment on column imgsim.verification.unrelated_probability is 'That they are neither: the three probabilities sum to one';
comment on column imgsim.verification.mirrored is 'One of the two is the mirror image of the other; false where nothing relates them';
comment on column imgsim.verification.inliers is 'How many details agree in one position';
comment on column imgsim.verification.coverage is 'The share of the image that what agrees covers';
comment on column imgsim.verification.other_coverage is 'The share of the other that what agrees covers';
comment on column imgsim.verification.correlation is 'How well the lines agree where both are laid upon each other, up to 1';
comment on column imgsim.verification.transform is 'A 3 x 3 matrix, row by row, from pixels of the image to pixels of the other';
comment on column imgsim.verification.box is 'What agrees, in pixels of the image: left, top, right, bottom';
comment on column imgsim.verification.other_box is 'What agrees, in pixels of the other: left, top, right, bottom';
comment on column imgsim.verification.reason is 'Why it is undecided, or what speaks against one block';
comment on column imgsim.verification.parameters is 'The settings of the method';
comment on column imgsim.verification.version is 'The version of the method';
comment on column imgsim.verification.verified_at is 'When the two were compared';

comment on table imgsim.verdict is 'What scholars say of two pictures: nothing is changed or taken back, the latest of each scholar counts';
comment on column imgsim.verdict.verdict_id is 'The number of the verdict';
comment on column imgsim.verdict.image_id is 'The image with the lower number';
comment on column imgsim.verdict.other_id is 'The image with the higher number';
comment on column imgsim.verdict.verdict is 'same block, copy, same subject or unrelated';
comment on column imgsim.verdict.note is 'What the scholar says of it';
comment on column imgsim.verdict.by is 'The scholar';
comment on column imgsim.verdict.at is 'When it was given';

comment on table imgsim.group_state is 'Groups of re-use as imgsim group built them last; imgsim.reuse_group has them with years, books and places';
comment on column imgsim.group_state.group_id is 'The number of the group';
comment on column imgsim.group_state.images is 'How many images the group has';
comment on column imgsim.group_state.links is 'How many pairs of its images are linked';
comment on column imgsim.group_state.density is 'The share of all pairs of the group''s images that are linked';
comment on column imgsim.group_state.weakest is 'The least probability on the group''s maximum spanning tree, that of weakest_id and weakest_other_id';
comment on column imgsim.group_state.weakest_id is 'One image of the weakest link';
comment on column imgsim.group_state.weakest_other_id is 'The other image of the weakest link';
comment on column imgsim.group_state.bridge_id is 'With bridge_other_id the link whose loss alone would divide the group, and most evenly; null where there is none';
comment on column imgsim.group_state.bridge_other_id is 'The other image of that link';

comment on table imgsim.group_member is 'The images of groups; an image is in one group at most';
comment on column imgsim.group_member.image_id is 'The number of the image';
comment on column imgsim.group_member.group_id is 'The number of the group';

comment on table imgsim.group_link is 'The pairs of images inside groups that evidence or a verdict takes for one block';
comment on column imgsim.group_link.image_id is 'The image with the lower number';
comment on column imgsim.group_link.other_id is 'The image with the higher number';
comment on column imgsim.group_link.group_id is 'The number of the group';
comment on column imgsim.group_link.probability is 'That both are of one block; 1 by a verdict';
comment on column imgsim.group_link.source is 'What links them: evidence or verdict';

comment on table imgsim.group_run is 'One row per run of imgsim group: with which options, and what came of it';
comment on column imgsim.group_run.run_id is 'The number of the run';
comment on column imgsim.group_run.least is 'The probability from which evidence linked two images';
comment on column imgsim.group_run.tightness is 'The share of the pairs across two groups that had to be linked to unite them';
comment on column imgsim.group_run.parts is 'Whether images that share only a part of a block were linked';
comment on column imgsim.group_run.links is 'How many pairs of images were linked';
comment on column imgsim.group_run.groups is 'How many groups came of it';
comment on column imgsim.group_run.images is 'How many images are in them';
comment on column imgsim.group_run.last_verdict_id is 'The latest verdict that counted';
comment on column imgsim.group_run.at is 'When the groups were built';

comment on table imgsim.migration is 'Which files of migrations/ and sql/ were applied, and their checksums';
comment on column imgsim.migration.name is 'The file';
comment on column imgsim.migration.checksum is 'SHA-256 of its text and of what else it depends on';
comment on column imgsim.migration.imgsim_version is 'The version of imgsim that applied it';
comment on column imgsim.migration.applied_at is 'When it was applied last';

select imgsim.comment_vectors(m.name) from imgsim.model m;
