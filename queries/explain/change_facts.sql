-- id: change_facts
-- title: Updates of a branch, and what explains each
-- about: branch
-- checks: change_has_pull_request
-- grain: one row per update that no pull request explains (the last 40), per explained one of the last three, and per span that was not read
-- reads: explained_verdicts, changes_without_pull_request, pushes, pull_requests, people, sync_runs
-- params: organization text; repository_id text; branch text; start_at timestamp; period_from timestamp; period_to timestamp; as_of timestamp

with
verdicts as (
    select check_id, reason_code from explained_verdicts
    where check_id = 'change_has_pull_request' and branch = $branch
),
-- one row per update of the branch in the period
updates as (
    select * from pushes
    where organization = $organization and repository_id = $repository_id and ref_name = concat('refs/heads/', $branch)
        and at >= greatest($start_at, $period_from) and at <= least($period_to, $as_of)
),
-- one row per update that no pull request explains, the last ones first
changes as (
    select
        changes.*,
        coalesce(people.display_name, changes.pushed_by_unique_name, changes.pushed_by_id, 'somebody') as pusher,
        row_number() over (order by changes.at desc, changes.push_id desc) as position
    from changes_without_pull_request as changes
    left join people on people.organization = changes.organization and people.person_id = changes.pushed_by_id
    where changes.organization = $organization and changes.repository_id = $repository_id and changes.branch = $branch
        and changes.at >= greatest($start_at, $period_from) and changes.at <= least($period_to, $as_of)
),
-- one row per merge commit of a pull request into the branch
landings as (
    select merge_commit, min(pull_request_id) as pull_request_id, min(web_url) as web_url
    from pull_requests
    where organization = $organization and repository_id = $repository_id and target_ref = concat('refs/heads/', $branch)
        and status = 'completed' and merge_commit is not null
    group by merge_commit
),
-- one row per update that is explained, the last ones first
explained as (
    select
        updates.push_id, updates.at, updates.new_commit, updates.kind, updates.pull_request_ids,
        landings.pull_request_id, landings.web_url,
        row_number() over (order by updates.at desc, updates.push_id desc) as position
    from updates
    left anti join changes on changes.push_id = updates.push_id
    left join landings on landings.merge_commit = updates.new_commit
),
-- one row per window of pushes that was asked for
windows as (
    select window_from, window_to, status, error, run_id
    from sync_runs
    where organization = $organization and resource = 'pushes' and status <> 'skipped'
        and scope = concat($repository_id, '@refs/heads/', $branch)
),
-- one row per window that was read, with how far those before it reach
read_windows as (
    select
        window_from, window_to,
        max(window_to) over (order by window_from, window_to rows between unbounded preceding and 1 preceding) as covered_to
    from windows
    where status = 'ok'
),
-- one row: from where to where pushes were read
reach as (
    select min(window_from) as read_from, max(window_to) as read_to, count(*) as window_count from read_windows
),
facts as (
    select
        case explanation
            when 'exception' then 'counts'
            when 'deleted' then 'context'
            when 'unproven' then 'missing'
            else 'against'
        end as effect,
        at, 1 as step, 'push' as kind,
        case kind
            when 'delete' then concat(pusher, ' deleted the branch, which was at ', substr(old_commit, 1, 8))
            when 'create' then concat(pusher, ' created the branch again, at commit ', substr(new_commit, 1, 8))
            else concat(
                pusher, case when is_force then ' force-pushed' else ' pushed' end, ' commit ', substr(new_commit, 1, 8),
                ' in place of ', substr(old_commit, 1, 8)
            )
        end as fact,
        concat_ws(
            '; ',
            case explanation
                when 'direct_push' then 'no pull request into this branch holds the commit'
                when 'recreated' then 'only the first creation explains itself'
                when 'exception' then concat(
                    'covered by exception ', exception_pattern, ': ', exception_reason, coalesce(', approved by ' || exception_approved_by, '')
                )
                when 'unproven' then 'Azure DevOps was not asked, or did not answer, which pull requests hold the commit, or named one that could not be read'
            end,
            case when is_exception_expired then concat('exception ', exception_pattern, ' had expired') end,
            case when kind <> 'delete' and explanation <> 'exception' then concat('full commit ', new_commit) end
        ) as why,
        cast(push_id as varchar) as id, cast(null as varchar) as url
    from changes
    where position <= 40
    union all
    select
        'against' as effect, null as at, 5 as step, 'push' as kind,
        concat(cast(count(*) as varchar), ' earlier ones are not listed here') as fact,
        'all stand in the view `changes_without_pull_request`' as why, null as id, null as url
    from changes
    where position > 40
    having count(*) > 0
    union all
    select
        'counts' as effect, at, 1 as step, 'push' as kind,
        case
            when pull_request_id is not null then concat(
                'pull request !', cast(pull_request_id as varchar), ' brought commit ', substr(new_commit, 1, 8)
            )
            when kind = 'create' then concat('the branch was created, at commit ', substr(new_commit, 1, 8))
            else concat('commit ', substr(new_commit, 1, 8), ' came')
        end as fact,
        case
            when pull_request_id is not null then 'its merge commit'
            when kind = 'create' then 'the first creation explains itself'
            else concat('held by pull request ', concat('!', replace(pull_request_ids, ',', ', !')))
        end as why,
        cast(push_id as varchar) as id, web_url as url
    from explained
    where position <= 3
    union all
    select
        case when counted.explained_count = counted.update_count then 'counts' else 'context' end as effect,
        null as at, 6 as step, 'push' as kind,
        case
            when counted.update_count = 0 then 'no update of the branch in the period'
            else concat(
                cast(counted.explained_count as varchar), ' of ', cast(counted.update_count as varchar),
                ' updates in the period came by a pull request or created the branch',
                case when counted.explained_count > 3 then '; the last three are listed' else '' end
            )
        end as fact,
        null as why, null as id, null as url
    from (
        select
            (select count(*) from updates) as update_count,
            (select count(*) from explained) as explained_count
    ) as counted
    union all
    select
        'missing' as effect, read_windows.covered_to as at, 4 as step, 'reading' as kind,
        concat('pushes were not read from here to ', to_char(read_windows.window_from, '%Y-%m-%d %H:%M:%S')) as fact,
        null as why, null as id, null as url
    from read_windows
    where read_windows.window_from > greatest(read_windows.covered_to, $start_at, $period_from)
    union all
    select
        'missing' as effect, windows.window_from as at, 4 as step, 'reading' as kind,
        concat('pushes until ', to_char(windows.window_to, '%Y-%m-%d %H:%M:%S'), ' were asked for, with result ', windows.status) as fact,
        windows.error as why, windows.run_id as id, null as url
    from windows
    cross join verdicts
    where windows.status <> 'ok' and verdicts.reason_code = 'EVIDENCE_UNREADABLE'
    union all
    select
        case when reach.window_count = 0 then 'missing' else 'context' end as effect,
        null as at, 7 as step, 'reading' as kind,
        case
            when reach.window_count = 0 then 'the pushes to the branch were never read'
            else concat(
                'pushes were read from ',
                case when reach.read_from <= arrow_cast('1970-01-02T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') then 'the beginning' else to_char(reach.read_from, '%Y-%m-%d %H:%M:%S') end,
                ' to ', to_char(reach.read_to, '%Y-%m-%d %H:%M:%S')
            )
        end as fact,
        null as why, null as id, null as url
    from reach
)
select verdicts.check_id, facts.effect, facts.at, facts.step, facts.kind, facts.fact, facts.why, facts.id, facts.url
from facts
cross join verdicts
