-- id: change_flips
-- title: What would explain every update of a branch
-- about: branch
-- checks: change_has_pull_request
-- grain: one row per verdict that is no pass
-- reads: explained_verdicts, changes_without_pull_request
-- params: organization text; repository_id text; branch text; start_at timestamp; period_from timestamp; period_to timestamp; as_of timestamp

with
verdicts as (
    select * from explained_verdicts
    where check_id = 'change_has_pull_request' and branch = $branch and status in ('fail', 'unknown')
),
-- one row: how many updates nothing explains, and those of which it is not known
counted as (
    select
        count(*) filter (where explanation in ('direct_push', 'recreated')) as direct_count,
        count(*) filter (where explanation = 'unproven') as unproven_count,
        string_agg(substr(new_commit, 1, 8), ', ' order by push_id) filter (where explanation in ('direct_push', 'recreated')) as commits
    from changes_without_pull_request
    where organization = $organization and repository_id = $repository_id and branch = $branch
        and at >= greatest($start_at, $period_from) and at <= least($period_to, $as_of)
)
select
    verdicts.check_id, 'flip' as effect, cast(null as timestamp) as at, 0 as step, 'push' as kind,
    case
        when verdicts.reason_code = 'DIRECT_PUSH' and counted.direct_count = 1 then concat(
            'commit ', counted.commits, ' brought by a pull request into ', verdicts.branch, ', or an exception that names it'
        )
        when verdicts.reason_code = 'DIRECT_PUSH' then concat(
            'each of the ', cast(counted.direct_count as varchar), ' updates brought by a pull request into ', verdicts.branch,
            case when counted.direct_count <= 5 then concat(' (', counted.commits, ')') else '' end, ', or named by an exception'
        )
        when counted.unproven_count > 0 then concat(
            'an answer of Azure DevOps for ', cast(counted.unproven_count as varchar), ' update', case when counted.unproven_count = 1 then '' else 's' end,
            ', which pull request holds the commit'
        )
        else 'the pushes read without a hole from the start date on'
    end as fact,
    cast(null as varchar) as why, cast(null as varchar) as id, cast(null as varchar) as url
from verdicts
cross join counted
