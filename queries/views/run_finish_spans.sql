-- id: run_finish_spans
-- title: Finishes of runs that finished more than once
-- grain: one row per finish of such a run, with the next one
-- reads: pipeline_runs, pipeline_run_finishes

with
-- one row per finish that is not the one the run shows now
other_finishes as (
    select
        finishes.organization, finishes.run_id, finishes.finished_at, finishes.result,
        runs.finished_at as current_finished_at, runs.result as current_result
    from pipeline_runs as runs
    join pipeline_run_finishes as finishes
        on finishes.organization = runs.organization
        and finishes.run_id = runs.run_id
        and finishes.finished_at is distinct from runs.finished_at
),
-- one row per finish
known_finishes as (
    select organization, run_id, finished_at, result from other_finishes
    union
    select organization, run_id, current_finished_at as finished_at, current_result as result
    from other_finishes
    where current_finished_at is not null
)
select
    organization, run_id, finished_at, result,
    lead(finished_at) over (partition by organization, run_id order by finished_at) as next_finished_at
from known_finishes
