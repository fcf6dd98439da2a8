-- Projects in scope, and how far their pull requests were read without a hole since the period begins.
with
-- inputs
readings as (
    select organization, scope as project_id, window_from, window_to, status
    from sync_runs
    where resource = 'pull_requests' and status <> 'skipped' and strpos(scope, '@') = 0
),
scoped_projects as (
    select settings.organization, settings.project_id, max(settings.project) as project
    from settings_in_force as settings
    join repositories
        on repositories.organization = settings.organization
        and repositories.repository_id = settings.repository_id
    where settings.in_scope and not coalesce(repositories.is_disabled, false)
        and repositories.deleted_at is null and repositories.last_visible_at is null
    group by settings.organization, settings.project_id
),
-- one row per organization: up to where the newest sync read
newest as (
    select organization, max(window_to) as read_to from sync_runs where status = 'ok' group by organization
),
-- one row per window that was asked for, in order of its start: up to where those before it were read
windows as (
    select
        *, status = 'ok' as is_read,
        max(case when status = 'ok' then window_to end) over (
            partition by organization, project_id order by window_from, window_to
            rows between unbounded preceding and 1 preceding
        ) as covered_to
    from readings
),
-- one row per project: up to where its pull requests were asked for and read, and where the first hole begins, if there is one
asked as (
    select
        organization, project_id,
        max(window_to) as asked_to,
        max(window_to) filter (where is_read) as read_to,
        min(greatest(coalesce(covered_to, $period_from), $period_from)) filter (
            where is_read and window_from > coalesce(covered_to, $period_from) and window_from > $period_from
        ) as hole_from
    from windows
    group by organization, project_id
)
select
    scoped_projects.organization, scoped_projects.project,
    -- null = no sync asked
    asked.asked_to,
    newest.read_to as newest_to,
    -- from where on they are not known; null = known as far as they were asked for
    case
        when asked.asked_to is null then null
        when asked.read_to is null then case when $period_from < asked.asked_to then $period_from end
        when asked.hole_from < least(asked.asked_to, $period_to) then asked.hole_from
        when asked.read_to < least(asked.asked_to, $period_to) then greatest(asked.read_to, $period_from)
    end as unknown_from
from scoped_projects
left join newest on newest.organization = scoped_projects.organization
left join asked
    on asked.organization = scoped_projects.organization
    and asked.project_id = scoped_projects.project_id
order by scoped_projects.organization, scoped_projects.project
