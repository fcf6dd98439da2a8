-- id: run_finish_spans
-- title: Finishes of runs that finished more than once
-- grain: one row per finish other than the one the run shows now, with the next such finish
-- reads: pipeline_runs, pipeline_run_finishes

select
    finishes.organization, finishes.run_id, finishes.finished_at, finishes.result,
    lead(finishes.finished_at) over (partition by finishes.organization, finishes.run_id order by finishes.finished_at) as next_finished_at
from pipeline_runs as runs
join pipeline_run_finishes as finishes
    on finishes.organization = runs.organization
    and finishes.run_id = runs.run_id
    and finishes.finished_at is distinct from runs.finished_at
