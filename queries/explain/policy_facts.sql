-- id: policy_facts
-- title: Branch policies of a branch, and whether each demands an approval
-- about: branch
-- checks: branch_policy_requires_approval
-- grain: one row per policy revision that covers the branch, near policy that does not, stretch of time, and reading or branch that is missing
-- reads: explained_verdicts, branch_policy_revisions, effective_branch_policies, policy_intervals, branch_policies, production_branches_in_force, settings_in_force, branches, repositories, sync_runs, pushes
-- params: organization text; repository_id text; branch text; profile text; start_at timestamp; period_from timestamp; period_to timestamp; as_of timestamp

with
verdicts as (
    select check_id, reason_code, flags, branch from explained_verdicts
    where check_id = 'branch_policy_requires_approval'
),
-- one row: the repository
repository as (
    select
        repositories.organization, repositories.project_id, repositories.repository_id, repositories.name, repositories.default_branch,
        repositories.is_disabled, repositories.deleted_at, repositories.last_visible_at, settings.gone_since
    from repositories
    left join settings_in_force as settings
        on settings.organization = repositories.organization and settings.repository_id = repositories.repository_id
    where repositories.organization = $organization and repositories.repository_id = $repository_id
),
revisions as (
    select * from branch_policy_revisions
    where organization = $organization and repository_id = $repository_id and branch = $branch
),
-- one row per policy that covers the branch now
effective as (
    select *, case when $profile = 'strict' then is_satisfying_strictly else is_satisfying end as is_enough
    from effective_branch_policies
    where organization = $organization and repository_id = $repository_id and branch = $branch
),
-- one row per revision that covers the branch: what it says
worded as (
    select
        revisions.policy_id, revisions.revision, revisions.policy_kind, revisions.valid_from, revisions.valid_to, revisions.is_satisfying,
        revisions.is_satisfying_strictly, revisions.resets_on_push,
        effective.policy_id is not null as is_effective, effective.is_enough, effective.miss,
        concat(
            'policy ', cast(revisions.policy_id as varchar), ', revision ', cast(revisions.revision as varchar), ', ',
            coalesce(revisions.type_name, 'of no name'), ': ',
            concat_ws(
                ', ',
                case when revisions.is_enabled then 'enabled' else 'disabled' end,
                case when revisions.is_blocking then 'blocking' else 'optional' end,
                case
                    when revisions.policy_kind = 'minimum_reviewers' then concat(
                        cast(revisions.approver_count as varchar), case when revisions.approver_count = 1 then ' approver' else ' approvers' end,
                        case when revisions.creator_vote_counts then ' with' else ' without' end, ' the creator'
                    )
                    when revisions.policy_kind = 'required_reviewers' then concat(
                        cast(revisions.approver_count as varchar), ' of ', cast(revisions.required_reviewer_count as varchar), ' named reviewers'
                    )
                end,
                case when revisions.is_path_filtered then 'for some paths only' end,
                case
                    when revisions.policy_kind <> 'minimum_reviewers' then null
                    when revisions.resets_on_push then 'a push asks for new votes'
                    else 'a push leaves votes'
                end,
                case
                    when revisions.policy_kind <> 'minimum_reviewers' then null
                    when revisions.blocks_last_pusher then 'not the last pusher'
                    else 'also the last pusher'
                end
            )
        ) as told
    from revisions
    left join effective on effective.policy_id = revisions.policy_id and effective.revision = revisions.revision
    where revisions.policy_kind <> 'other' or effective.policy_id is not null
),
-- one row per policy of the project: its latest revision, and whether it is deleted
latest as (
    select policies.*
    from branch_policies as policies
    join (
        select organization, policy_id, max(revision) as revision from branch_policies group by organization, policy_id
    ) as newest
        on newest.organization = policies.organization and newest.policy_id = policies.policy_id and newest.revision = policies.revision
    where policies.organization = $organization
),
-- one row per policy of approvals and scope near the branch that does not cover it, those with the nearest names first
near_policies as (
    select
        latest.policy_id, latest.scope_index, latest.type_name, latest.valid_from, latest.ref_name, latest.match_kind,
        latest.repository_id is not null and latest.repository_id <> repository.repository_id as is_elsewhere,
        row_number() over (
            order by levenshtein(coalesce(latest.ref_name, ''), concat('refs/heads/', $branch)), latest.policy_id, latest.scope_index
        ) as position
    from latest
    join repository on repository.project_id = latest.project_id
    left anti join revisions on revisions.policy_id = latest.policy_id and revisions.revision = latest.revision
    where lower(latest.type_id) in ('fa4e907d-c16b-4a4c-9dfa-4906e5d171dd', 'fd2167ab-b0be-447a-8ec8-39368250530e')
        and not latest.is_deleted and latest.valid_to is null
        and (
            coalesce(latest.repository_id, repository.repository_id) = repository.repository_id
            or latest.ref_name = concat('refs/heads/', $branch)
        )
),
-- one row: the part of the period in which the branch existed
period as (
    select
        greatest($start_at, $period_from, coalesce(max(created_at), $start_at)) as from_at,
        least($period_to, $as_of) as to_at
    from (
        select case when min(at) filter (where kind = 'create') = min(at) then min(at) end as created_at
        from pushes
        where organization = $organization and repository_id = $repository_id
            and ref_name = concat('refs/heads/', $branch) and at <= $as_of
    ) as creations
),
-- one row per stretch of the period without a policy that surely satisfies
gaps as (
    select
        greatest(intervals.from_at, period.from_at) as from_at,
        least(coalesce(intervals.to_at, period.to_at), period.to_at) as to_at,
        case when $profile = 'strict' then intervals.may_be_satisfied_strictly else intervals.may_be_satisfied end as may_be_satisfied
    from policy_intervals as intervals
    cross join period
    where intervals.organization = $organization and intervals.repository_id = $repository_id and intervals.branch = $branch
        and period.from_at < period.to_at and intervals.from_at < period.to_at
        and coalesce(intervals.to_at > period.from_at, true)
        and not case when $profile = 'strict' then intervals.is_satisfied_strictly else intervals.is_satisfied end
),
-- one row per resource: how its last reading ended
readings as (
    select
        resource, last_value(status order by started_at, window_to, run_id) as status,
        last_value(error order by started_at, window_to, run_id) as error, max(finished_at) as at
    from sync_runs
    where organization = $organization and status <> 'skipped'
        and (
            (resource = 'branch_policies' and scope in (select project_id from repository))
            or (resource = 'branches' and scope = $repository_id)
        )
    group by resource
),
facts as (
    select
        case
            when verdicts.reason_code = 'REPOSITORY_GONE' then 'context'
            when is_enough then 'counts'
            when is_effective and (miss is not null or is_satisfying) then 'against'
            when is_effective and policy_kind <> 'build_validation' then 'ignored'
            else 'context'
        end as effect,
        valid_from as at, 0 as step, 'policy' as kind, told as fact,
        case
            when is_enough then 'demands the approval of another person'
            when is_effective and policy_kind = 'build_validation' then 'demands a build, no approval'
            when is_effective and policy_kind = 'other' then 'no policy of approvals'
            when not is_effective and valid_to is null then 'no longer holds for this branch'
            when not is_effective then concat(
                'held until ', to_char(valid_to, '%Y-%m-%d %H:%M:%S'),
                case
                    when policy_kind not in ('minimum_reviewers', 'required_reviewers') then ''
                    when is_satisfying then ', and demanded the approval of another person'
                    else ', and did not demand the approval of another person'
                end
            )
            when miss = 'CREATOR_CAN_APPROVE' then 'the one approval may be the creator''s own'
            when miss = 'NO_APPROVER_REQUIRED' then 'demands nobody'
            when miss = 'POLICY_DISABLED' then 'is switched off'
            when miss = 'POLICY_NOT_BLOCKING' then 'does not block a merge'
            when is_satisfying and policy_kind = 'required_reviewers' then 'demands an approval, but strict wants a policy of minimum reviewers that asks again after a push'
            when is_satisfying and not resets_on_push then 'demands an approval, but strict wants it to be given again after a push'
            when is_satisfying then 'demands an approval, but strict wants one by another than the last pusher'
            when policy_kind = 'required_reviewers' then 'does not hold for every change, or names nobody'
        end as why,
        cast(policy_id as varchar) as id
    from worded
    cross join verdicts
    union all
    select
        'against' as effect, coalesce(latest.valid_to, latest.valid_from) as at, 1 as step, 'policy' as kind,
        concat('policy ', cast(latest.policy_id as varchar), ' was deleted') as fact,
        'by then it was no longer listed' as why, cast(latest.policy_id as varchar) as id
    from (
        select latest.policy_id, max(latest.valid_to) as valid_to, max(latest.valid_from) as valid_from
        from latest
        join revisions on revisions.policy_id = latest.policy_id
        where (latest.is_deleted or latest.valid_to is not null)
            and revisions.policy_kind in ('minimum_reviewers', 'required_reviewers')
        group by latest.policy_id
    ) as latest
    union all
    select
        'ignored' as effect, near_policies.valid_from as at, 2 as step, 'policy' as kind,
        concat(
            'policy ', cast(near_policies.policy_id as varchar), ', ', coalesce(near_policies.type_name, 'of no name'), ', covers ',
            case when near_policies.is_elsewhere then 'another repository: ' else '' end,
            case
                when lower(coalesce(near_policies.match_kind, '')) = 'defaultbranch' then 'the default branch'
                when near_policies.ref_name is null then 'the repository as such, and with that no branch'
                when lower(near_policies.match_kind) = 'prefix' then concat('branches below ', replace(near_policies.ref_name, 'refs/heads/', ''))
                else replace(near_policies.ref_name, 'refs/heads/', '')
            end
        ) as fact,
        'not this branch' as why, cast(near_policies.policy_id as varchar) as id
    from near_policies
    cross join verdicts
    where verdicts.reason_code = 'NO_POLICY' and verdicts.branch is not null and near_policies.position <= 5
    union all
    select
        case when gaps.may_be_satisfied then 'missing' else 'against' end as effect,
        gaps.from_at as at, 3 as step, 'gap' as kind,
        concat(
            case
                when gaps.may_be_satisfied then 'it is not shown which policy held'
                when $profile = 'strict' then 'no policy demanded what strict wants'
                else 'no policy demanded an approval'
            end,
            ', until ', to_char(gaps.to_at, '%Y-%m-%d %H:%M:%S')
        ) as fact,
        null as why, null as id
    from gaps
    cross join verdicts
    where verdicts.reason_code in ('POLICY_GAP', 'POLICY_HISTORY_UNPROVEN') or strpos(verdicts.flags, 'POLICY_') > 0
    union all
    select
        case when readings.status = 'ok' then 'context' else 'missing' end as effect,
        readings.at, 9 as step, 'reading' as kind,
        concat(
            case readings.resource when 'branches' then 'the branches of the repository' else 'the policies of the project' end,
            ' were last ', case when readings.status = 'ok' then 'read' else concat('asked for, with result ', readings.status) end
        ) as fact,
        readings.error as why, readings.resource as id
    from readings
    cross join verdicts
    where readings.resource = 'branch_policies' or verdicts.reason_code in ('NOT_CONFIGURED', 'EVIDENCE_UNREADABLE', 'EMPTY_REPOSITORY')
    union all
    select
        'missing' as effect, cast(null as timestamp) as at, 9 as step, 'reading' as kind,
        concat('the ', needed.what, ' were never read') as fact, null as why, needed.resource as id
    from (values ('branch_policies', 'policies of the project'), ('branches', 'branches of the repository')) as needed (resource, what)
    cross join verdicts
    left anti join readings on readings.resource = needed.resource
    where case needed.resource
        when 'branch_policies' then verdicts.reason_code = 'POLICIES_UNREADABLE'
        else verdicts.reason_code = 'EVIDENCE_UNREADABLE'
    end
    union all
    select
        'missing' as effect, null as at, 10 as step, 'policy' as kind,
        'no policy of approvals covers the branch' as fact, null as why, null as id
    from verdicts
    cross join (
        select count(*) as policy_count from effective where policy_kind in ('minimum_reviewers', 'required_reviewers')
    ) as counted
    where counted.policy_count = 0 and verdicts.branch is not null
        and verdicts.reason_code in ('NO_POLICY', 'POLICIES_UNREADABLE')
    union all
    select
        'against' as effect, null as at, 10 as step, 'setting' as kind,
        concat('production branch `', patterns.pattern, '` is configured, and no branch fits it') as fact,
        null as why, patterns.pattern as id
    from production_branches_in_force as patterns
    cross join verdicts
    left anti join (
        select name from branches where organization = $organization and repository_id = $repository_id and deleted_at is null
    ) as existing on glob_match(patterns.pattern, existing.name)
    where patterns.organization = $organization and patterns.repository_id = $repository_id
        and verdicts.reason_code = 'NOT_CONFIGURED'
    union all
    select
        'missing' as effect, null as at, 10 as step, 'setting' as kind,
        '`production-branches` is empty for the repository' as fact, null as why, 'production-branches' as id
    from verdicts
    left anti join production_branches_in_force as patterns
        on patterns.organization = $organization and patterns.repository_id = $repository_id
    where verdicts.reason_code = 'NOT_CONFIGURED'
    union all
    select
        'counts' as effect, coalesce(repository.deleted_at, repository.last_visible_at) as at, 0 as step, 'repository' as kind,
        concat(
            'the repository is ',
            case
                when repository.deleted_at is not null then 'deleted'
                when coalesce(repository.is_disabled, false) then 'disabled'
                else 'no longer listed'
            end
        ) as fact,
        case
            when repository.deleted_at is null and not coalesce(repository.is_disabled, false)
                then concat('acknowledged by `gone-since = ', cast(repository.gone_since as varchar), '`')
            else 'nothing can be merged into it'
        end as why,
        repository.repository_id as id
    from repository
    cross join verdicts
    where verdicts.reason_code = 'REPOSITORY_GONE'
    union all
    select
        'missing' as effect, repository.last_visible_at as at, 9 as step, 'reading' as kind,
        'the repository was listed for the last time' as fact, 'since then the identity cannot see it' as why, repository.repository_id as id
    from repository
    cross join verdicts
    where verdicts.reason_code = 'POLICIES_UNREADABLE' and repository.last_visible_at is not null
    union all
    select
        'counts' as effect, null as at, 9 as step, 'repository' as kind,
        'the repository has no default branch and never had a pull request' as fact, null as why, repository.repository_id as id
    from repository
    cross join verdicts
    where verdicts.reason_code = 'EMPTY_REPOSITORY'
    union all
    select
        'nearest' as effect, null as at, 0 as step, 'name' as kind,
        concat('branches of the repository: ', array_to_string(array_slice(array_agg(concat('`', ranked.name, '`') order by ranked.position), 1, 5), ', ')) as fact,
        null as why, null as id
    from (
        select
            name,
            row_number() over (order by levenshtein(lower(name), lower(coalesce($branch, ''))), name) as position
        from branches
        where organization = $organization and repository_id = $repository_id and deleted_at is null
    ) as ranked
    cross join (select reason_code from verdicts where reason_code = 'NOT_CONFIGURED' limit 1) as unconfigured
    having count(*) > 0
)
select
    checks.check_id, facts.effect, facts.at, facts.step, facts.kind, facts.fact, facts.why, facts.id, cast(null as varchar) as url
from facts
cross join (select check_id from verdicts group by check_id) as checks
