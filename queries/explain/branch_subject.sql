-- id: branch_subject
-- title: What a branch or repository is, and why it is not judged where it is not
-- about: branch
-- grain: one row per thing said about the branch or repository; kind: state, not_judged, hint
-- reads: branches, repositories, settings_in_force, production_branches_in_force, pull_requests
-- params: organization text; repository_id text; branch text; as_of timestamp

with
-- one row: the repository
repository as (
    select
        repositories.organization, repositories.repository_id, repositories.web_url, repositories.default_branch,
        repositories.is_disabled, repositories.deleted_at, repositories.last_visible_at,
        coalesce(settings.in_scope, false) as in_scope,
        concat(repositories.organization, '/', repositories.project, '/', repositories.name) as repository_path
    from repositories
    left join settings_in_force as settings
        on settings.organization = repositories.organization and settings.repository_id = repositories.repository_id
    where repositories.organization = $organization and repositories.repository_id = $repository_id
),
-- one row where there are patterns: all of them, and whether one fits the branch
patterns as (
    select
        organization, repository_id,
        string_agg(concat('`', pattern, '`'), ', ' order by pattern_index) as patterns,
        bool_or(coalesce(glob_match(pattern, $branch), false)) as is_fitting
    from production_branches_in_force
    group by organization, repository_id
),
-- one row where the branch was ever listed
branch as (
    select * from branches
    where organization = $organization and repository_id = $repository_id and name = $branch
),
-- one row where a pull request was ever completed into the branch: how many were
merged as (
    select organization, repository_id, count(*) as merged_count, max(closed_at) as last_merged_at
    from pull_requests
    where organization = $organization and repository_id = $repository_id
        and target_ref = concat('refs/heads/', $branch)
        and status = 'completed' and closed_at <= $as_of
    group by organization, repository_id
),
-- one row: the first reason why the branch is not judged, else null
standing as (
    select
        repository.*, branch.commit_id, branch.is_default, branch.first_seen_at, branch.deleted_at as branch_deleted_at,
        merged.merged_count, merged.last_merged_at, patterns.patterns,
        case
            when not repository.in_scope then 'OUT_OF_SCOPE'
            when $branch is null then null
            when patterns.patterns is null then 'NO_PRODUCTION_BRANCH'
            when not patterns.is_fitting then 'OTHER_BRANCH'
            when branch.deleted_at is not null then 'DELETED'
        end as standing
    from repository
    left join branch on branch.organization = repository.organization and branch.repository_id = repository.repository_id
    left join merged on merged.organization = repository.organization and merged.repository_id = repository.repository_id
    left join patterns on patterns.organization = repository.organization and patterns.repository_id = repository.repository_id
)
select
    cast(null as varchar) as check_id, 'subject' as effect, first_seen_at as at, 0 as step,
    'state' as kind,
    case
        when $branch is null then 'the repository as a whole'
        when branch_deleted_at is not null then concat('branch, no longer listed since ', to_char(branch_deleted_at, '%Y-%m-%d %H:%M:%S'), ' UTC')
        when commit_id is null then 'branch that is configured and does not exist'
        else concat(
            case when is_default then 'default branch' else 'branch' end, ' at commit ', substr(commit_id, 1, 8),
            case
                when merged_count > 0 then concat(
                    ', ', cast(merged_count as varchar), ' pull request', case when merged_count > 1 then 's' else '' end,
                    ' merged into it, the last ', to_char(last_merged_at, '%Y-%m-%d %H:%M:%S'), ' UTC'
                )
                else ', no pull request was ever merged into it'
            end
        )
    end as fact,
    cast(null as varchar) as why, cast(null as varchar) as id,
    case
        when $branch is null then web_url
        else concat(web_url, '?version=GB', $branch)
    end as url
from standing
union all
select
    null as check_id, 'subject' as effect, null as at, 2 as step,
    'not_judged' as kind,
    case standing
        when 'OUT_OF_SCOPE' then concat('the settings leave ', repository_path, ' out: `in-scope = false`')
        when 'NO_PRODUCTION_BRANCH' then concat('no production branch is configured for ', repository_path)
        when 'OTHER_BRANCH' then concat($branch, ' is no production branch of the repository, which are ', patterns)
        else 'the branch is deleted; only branches that exist are judged'
    end as fact,
    null as why, standing as id, null as url
from standing
where standing is not null
union all
select
    null as check_id, 'subject' as effect, null as at, 3 as step,
    'hint' as kind,
    case standing
        when 'OUT_OF_SCOPE' then 'set `in-scope = true` in a `[[repository]]` that matches it'
        when 'DELETED' then '`--as-of` judges the time when it existed; pull requests merged into it are judged as ever'
        else concat('add "', $branch, '" to `production-branches` if changes reach production from it')
    end as fact,
    null as why, standing as id, null as url
from standing
where standing is not null
