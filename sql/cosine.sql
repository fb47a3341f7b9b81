-- How alike are two vectors? Their cosine, rounded to seven decimals: the one number that searches,
-- lists and pairs give, and that every threshold is compared with.
--   select imgsim.cosine(a.embedding, b.embedding)
--   from imgsim.embedding_resnet18_print a, imgsim.embedding_resnet18_print b
--   where a.image_id = 7 and b.image_id = 9;
--
-- pgvector adds a cosine up in single precision, which is off by some 1e-6, and otherwise on another
-- processor. Norms it adds up in double precision, and 2 ab = |a + b|² - |a|² - |b|². A sum of two
-- halves fits single precision. So this is what numpy gives for the lists
-- (imgsim/similarity/comparison/vectors.py), to the last decimal; half a unit is rounded to even.
create or replace function imgsim.cosine(a @vector@.halfvec, b @vector@.halfvec)
returns double precision
language sql
immutable
parallel safe
return round(
    (
        @vector@.vector_norm(a::@vector@.vector operator(@vector@.+) b::@vector@.vector) ^ 2
        - @vector@.l2_norm(a) ^ 2
        - @vector@.l2_norm(b) ^ 2
    )
    / nullif(2 * @vector@.l2_norm(a) * @vector@.l2_norm(b), 0)
    * 10000000::double precision
) / 10000000::double precision;
