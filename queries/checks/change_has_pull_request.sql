-- id: change_has_pull_request
-- title: Every change of a production branch came by a pull request
-- severity: high
-- controls: SOC2 CC8.1; ISO27001 A.8.32; PCI-DSS 6.5.1; SLSA Source L3
-- reads: production_branches_existing, changes_without_pull_request, pushes, sync_runs
-- params: start_at timestamp; period_from timestamp; period_to timestamp; as_of timestamp; profile text
-- rationale: A push past the pull request skips review and every automatic check.
-- remediation: Require pull requests by a blocking branch policy, take away the permission to bypass it, and review the pushes named here.

with
-- inputs
branches as (select *, concat(repository_id, '@', ref_name) as scope from production_branches_existing),
changes as (
    select * from changes_without_pull_request
    where at >= greatest($start_at, $period_from) and at <= least($period_to, $as_of)
),
updates as (
    select * from pushes
    where at >= greatest($start_at, $period_from) and at <= least($period_to, $as_of)
),
readings as (select organization, scope, window_from, window_to, status from sync_runs where resource = 'pushes' and status <> 'skipped'),
-- one row per branch that was ever asked for: up to where its pushes had to be read; of a repository that is gone, as far as they were
horizons as (
    select
        branches.organization, branches.scope, branches.is_gone,
        least(
            max(readings.window_to) filter (where readings.status = 'ok' or not branches.is_gone),
            $period_to, $as_of
        ) as read_to
    from branches
    join readings on readings.organization = branches.organization and readings.scope = branches.scope
    group by branches.organization, branches.scope, branches.is_gone
),
-- one row per window that was read, in order of its start
windows as (
    select
        organization, scope, window_from, window_to,
        max(window_to) over (
            partition by organization, scope order by window_from, window_to
            rows between unbounded preceding and 1 preceding
        ) as covered_to
    from readings
    where status = 'ok'
),
-- one row per branch with a window that was read: the windows leave no hole between the start date and what had to be read
coverage as (
    select
        windows.organization, windows.scope,
        max(windows.window_to) >= max(horizons.read_to)
            and (
                bool_or(horizons.is_gone)
                or max(windows.window_to) >= greatest($start_at, $period_from)
                or greatest($start_at, $period_from) > least($period_to, $as_of)
            )
            and bool_and(
                windows.window_from <= coalesce(windows.covered_to, greatest($start_at, $period_from))
                or windows.window_from <= greatest($start_at, $period_from)
                or windows.window_from > horizons.read_to
            ) as is_complete
    from windows
    join horizons on horizons.organization = windows.organization and horizons.scope = windows.scope
    group by windows.organization, windows.scope
),
-- one row per branch with updates in the period
counted_updates as (
    select organization, repository_id, ref_name, count(*) as update_count
    from updates
    group by organization, repository_id, ref_name
),
-- one row per branch with changes that no pull request explains
counted_changes as (
    select
        organization, repository_id, ref_name,
        count(*) filter (where explanation in ('direct_push', 'recreated')) as direct_push_count,
        count(*) filter (where explanation = 'unproven') as unproven_count,
        count(*) filter (where explanation = 'exception') as exception_count,
        bool_or(explanation = 'deleted') as has_deletion,
        bool_or(is_recreation) as has_recreation,
        bool_or(is_exception_expired and explanation in ('direct_push', 'recreated', 'unproven')) as has_expired_exception,
        bool_or(is_force and explanation in ('direct_push', 'recreated')) as has_force_push,
        array_agg(named_struct(
            'push_id', push_id,
            'at', at,
            'explanation', explanation,
            'pushed_by_id', pushed_by_id,
            'pushed_by', pushed_by_unique_name,
            'kind', kind,
            'old_commit', old_commit,
            'new_commit', new_commit,
            'is_force', is_force,
            'exception', exception_pattern,
            'exception_reason', exception_reason,
            'exception_approved_by', exception_approved_by
        ) order by push_id) as changes
    from changes
    group by organization, repository_id, ref_name
),
-- one row per branch
judged as (
    select
        branches.*,
        coalesce(counted_updates.update_count, 0) as update_count,
        coalesce(counted_changes.direct_push_count, 0) as direct_push_count,
        coalesce(counted_changes.unproven_count, 0) as unproven_count,
        coalesce(counted_changes.exception_count, 0) as exception_count,
        counted_changes.has_deletion, counted_changes.has_recreation, counted_changes.has_expired_exception,
        counted_changes.has_force_push, counted_changes.changes,
        coalesce(coverage.is_complete, false) as is_complete,
        horizons.read_to,
        case
            when counted_changes.direct_push_count > 0 then 'DIRECT_PUSH'
            when coverage.is_complete and (branches.is_visible or branches.is_gone) and coalesce(counted_changes.unproven_count, 0) = 0
                then 'ALL_CHANGES_REVIEWED'
            else 'EVIDENCE_UNREADABLE'
        end as reason_code
    from branches
    left join counted_updates
        on counted_updates.organization = branches.organization
        and counted_updates.repository_id = branches.repository_id
        and counted_updates.ref_name = branches.ref_name
    left join counted_changes
        on counted_changes.organization = branches.organization
        and counted_changes.repository_id = branches.repository_id
        and counted_changes.ref_name = branches.ref_name
    left join coverage on coverage.organization = branches.organization and coverage.scope = branches.scope
    left join horizons on horizons.organization = branches.organization and horizons.scope = branches.scope
)
select
    organization, project, repository_id, repository, branch,
    cast(null as bigint) as pull_request_id,
    branch as subject,
    web_url as resource_url,
    case reason_code when 'DIRECT_PUSH' then 'fail' when 'ALL_CHANGES_REVIEWED' then 'pass' else 'unknown' end as status,
    reason_code,
    case reason_code
        when 'DIRECT_PUSH' then concat(
            cast(direct_push_count as varchar), ' of ', cast(update_count as varchar),
            ' updates of the branch came without a pull request.'
        )
        when 'ALL_CHANGES_REVIEWED' then case
            when exception_count > 0 then 'Every update of the branch came by a pull request or is covered by a registered exception.'
            else 'Every update of the branch came by a pull request.'
        end
        else case
            when unproven_count > 0 then 'It could not be read whether a pull request holds each update of the branch.'
            else 'The pushes to the branch were not read without a hole since the start date.'
        end
    end as reason,
    concat_ws(',',
        case when has_deletion then 'BRANCH_DELETED' end,
        case when has_recreation then 'BRANCH_RECREATED' end,
        case when has_expired_exception then 'EXCEPTION_EXPIRED' end,
        case when has_force_push then 'FORCE_PUSH' end
    ) as flags,
    to_json(named_struct(
        'updates', update_count,
        'direct_pushes', direct_push_count,
        'exceptions', exception_count,
        'unproven', unproven_count,
        -- null = as far as the period goes, which moves on with every sync
        'read_to', case when is_gone then read_to end,
        'is_read_without_hole', is_complete,
        'changes', changes
    )) as evidence_json
from judged
order by organization, project, repository, branch, pull_request_id, repository_id
