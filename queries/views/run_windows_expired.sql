-- id: run_windows_expired
-- title: Spans of time whose pipeline runs may have been purged before they were read
-- grain: one row per profile, project and span of push times, pushed_after < push <= pushed_until and push < pushed_before
-- reads: sync_runs, retention_settings

with
-- inputs
finished_windows as (
    select organization, scope as project_id, window_to, started_at, finished_at
    from sync_runs
    where resource = 'pipeline_runs' and status = 'ok'
),
-- one row per profile
profiles as (select column1 as profile from (values ('standard'), ('strict'))),
-- one row per state of a project's retention settings; the first one seen is taken to have held before
retention as (
    select
        organization, project_id, purge_runs_days, purge_pull_request_runs_days,
        case
            when row_number() over (partition by organization, project_id order by first_seen_at) = 1 then timestamp '1970-01-01T00:00:00Z'
            else first_seen_at
        end as valid_from,
        lead(first_seen_at) over (partition by organization, project_id order by first_seen_at) as valid_to
    from retention_settings
),
-- one row per window, with how far the ones read before it reach
ordered_windows as (
    select
        *,
        max(window_to) over (
            partition by organization, project_id order by started_at, window_to
            rows between unbounded preceding and 1 preceding
        ) as read_until
    from finished_windows
),
-- one row per window and profile; only standard accepts runs that the shorter of the two retentions may have purged
purged_windows as (
    select
        profiles.profile, windows.organization, windows.project_id, windows.read_until, windows.window_to, windows.started_at,
        case
            when profiles.profile = 'strict' then coalesce(retention.purge_pull_request_runs_days, 10)
            else least(coalesce(retention.purge_pull_request_runs_days, 10), coalesce(retention.purge_runs_days, 30))
        end as kept_days
    from ordered_windows as windows
    left join retention
        on retention.organization = windows.organization
        and retention.project_id = windows.project_id
        and retention.valid_from <= windows.finished_at
        and (retention.valid_to is null or retention.valid_to > windows.finished_at)
    cross join profiles
),
-- one row per window, profile and span of pushes that it was the first to see
first_readings as (
    select
        profile, organization, project_id,
        coalesce(read_until, timestamp '1970-01-01T00:00:00Z') as pushed_after,
        window_to as pushed_until,
        started_at - cast(concat(cast(kept_days as varchar), ' days') as interval) as pushed_before
    from purged_windows
)
select profile, organization, project_id, pushed_after, pushed_until, pushed_before
from first_readings
where pushed_after < pushed_until and pushed_after < pushed_before
