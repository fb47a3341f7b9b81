-- Between which two shares does the true one lie, with 95 % confidence, where `hits` of `trials`
-- were counted? Its lower and upper end; null where nothing was counted.
--   select imgsim.wilson(9, 10);
--
-- The score interval of E. B. Wilson, Probable inference, the law of succession, and statistical
-- inference, Journal of the American Statistical Association 22 (1927), 209 to 212: with p = hits /
-- trials, n = trials and z the normal quantile (1.96 for 95 %),
-- (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n).
create or replace function imgsim.wilson(
    hits bigint,
    trials bigint,
    z double precision default 1.959963984540054
)
returns double precision[]
language sql
immutable
parallel safe
as $$
    select case
        when trials > 0 then array[
            greatest(0, (s.p + z * z / (2 * trials) - s.reach) / (1 + z * z / trials)),
            least(1, (s.p + z * z / (2 * trials) + s.reach) / (1 + z * z / trials))
        ]
    end
    from (
        select r.p, z * sqrt((r.p * (1 - r.p) + z * z / (4 * trials)) / trials) as reach
        from (select hits::double precision / nullif(trials, 0) as p) r
    ) s
$$;
