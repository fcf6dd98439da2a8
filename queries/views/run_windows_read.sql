-- id: run_windows_read
-- title: Spans of time whose pipeline runs were read
-- grain: one row per project and unbroken span of finish times that was read in full
-- reads: sync_runs

with
-- inputs
finished_windows as (
    select organization, scope as project_id, window_from, window_to
    from sync_runs
    where resource = 'pipeline_runs' and status = 'ok'
),
-- one row per window, with how far the ones that begin before it reach
ordered_windows as (
    select
        *,
        max(window_to) over (
            partition by organization, project_id order by window_from, window_to
            rows between unbounded preceding and 1 preceding
        ) as read_until
    from finished_windows
),
-- one row per window, numbered by the span that it belongs to
numbered_windows as (
    select
        *,
        sum(case when window_from <= read_until then 0 else 1 end) over (
            partition by organization, project_id order by window_from, window_to
            rows between unbounded preceding and current row
        ) as span_number
    from ordered_windows
)
select organization, project_id, min(window_from) as window_from, max(window_to) as window_to
from numbered_windows
group by organization, project_id, span_number
