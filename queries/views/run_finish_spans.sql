-- id: run_finish_spans
-- title: Finishes of runs that finished more than once
-- grain: one row per finish of a run with a finish other than the one it shows now, with the next finish
-- reads: pipeline_runs, pipeline_run_finishes

with
-- one row per finish other than the one that the run shows now, beside that one
pairs as (
    select
        runs.organization, runs.run_id,
        named_struct('at', finishes.finished_at, 'result', cast(finishes.result as varchar)) as other_finish,
        named_struct('at', runs.finished_at, 'result', cast(runs.result as varchar)) as own_finish
    from pipeline_runs as runs
    join pipeline_run_finishes as finishes
        on finishes.organization = runs.organization
        and finishes.run_id = runs.run_id
        and finishes.finished_at is distinct from runs.finished_at
),
-- one row per pair and finish
unpaired as (select organization, run_id, unnest(make_array(other_finish, own_finish)) as finish from pairs),
-- one row per finish
distinct_finishes as (
    select organization, run_id, finish['at'] as finished_at, max(finish['result']) as result
    from unpaired
    where finish['at'] is not null
    group by organization, run_id, finish['at']
)
select
    organization, run_id, finished_at, result,
    lead(finished_at) over (partition by organization, run_id order by finished_at) as next_finished_at
from distinct_finishes
