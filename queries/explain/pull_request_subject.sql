-- id: pull_request_subject
-- title: What a pull request is, and why it is not judged where it is not
-- about: pull_request
-- grain: one row per thing said about the pull request; kind: title, state, not_judged, hint
-- reads: pull_requests, repositories, settings_in_force, production_branches_in_force
-- params: organization text; repository_id text; pull_request_id bigint; start_at timestamp; period_to timestamp; as_of timestamp

with
-- one row: the pull request
pull as (
    select
        pulls.organization, pulls.repository_id, pulls.pull_request_id, pulls.title, pulls.status, pulls.created_at, pulls.closed_at,
        pulls.target_ref, pulls.is_draft,
        coalesce(pulls.author_name, pulls.author_unique_name, pulls.author_id, 'nobody known') as author,
        case when starts_with(pulls.target_ref, 'refs/heads/') then substr(pulls.target_ref, 12) else pulls.target_ref end as branch,
        coalesce(
            pulls.web_url,
            concat(repositories.web_url, '/pullrequest/', cast(pulls.pull_request_id as varchar))
        ) as web_url,
        coalesce(settings.in_scope, false) as in_scope,
        concat(settings.organization, '/', settings.project, '/', settings.repository) as repository_path
    from pull_requests as pulls
    left join repositories
        on repositories.organization = pulls.organization and repositories.repository_id = pulls.repository_id
    left join settings_in_force as settings
        on settings.organization = pulls.organization and settings.repository_id = pulls.repository_id
    where pulls.organization = $organization
        and pulls.repository_id = $repository_id
        and pulls.pull_request_id = $pull_request_id
),
-- one row where there are patterns: all of them, and whether one fits the target branch
patterns as (
    select
        patterns.organization, patterns.repository_id,
        string_agg(concat('`', patterns.pattern, '`'), ', ' order by patterns.pattern_index) as patterns,
        bool_or(glob_match(patterns.pattern, pull.branch) and starts_with(pull.target_ref, 'refs/heads/')) as is_fitting
    from production_branches_in_force as patterns
    join pull on pull.organization = patterns.organization and pull.repository_id = patterns.repository_id
    group by patterns.organization, patterns.repository_id
),
-- one row: the first reason why it is not judged, else null
standing as (
    select
        pull.*,
        case
            when not pull.in_scope then 'OUT_OF_SCOPE'
            when patterns.patterns is null then 'NO_PRODUCTION_BRANCH'
            when pull.status <> 'completed' or pull.closed_at is null then 'NOT_MERGED'
            when not patterns.is_fitting then 'OTHER_BRANCH'
            when pull.closed_at < $start_at then 'BEFORE_START'
            when pull.closed_at > least($period_to, $as_of) then 'AFTER_PERIOD'
        end as standing,
        patterns.patterns
    from pull
    left join patterns
        on patterns.organization = pull.organization and patterns.repository_id = pull.repository_id
)
select
    cast(null as varchar) as check_id, 'subject' as effect, created_at as at, 0 as step,
    'title' as kind, title as fact, cast(null as varchar) as why, cast(pull_request_id as varchar) as id, web_url as url
from standing
union all
select
    null as check_id, 'subject' as effect, coalesce(closed_at, created_at) as at, 1 as step,
    'state' as kind,
    concat(
        case status
            when 'completed' then concat('merged ', to_char(closed_at, '%Y-%m-%d %H:%M:%S'), ' UTC into ')
            when 'abandoned' then concat('abandoned ', coalesce(to_char(closed_at, '%Y-%m-%d %H:%M:%S UTC'), ''), ', meant for ')
            else concat(case when is_draft then 'draft' else 'active' end, ', meant for ')
        end,
        branch, ', opened ', to_char(created_at, '%Y-%m-%d %H:%M:%S'), ' UTC by ', author
    ) as fact,
    null as why, status as id, null as url
from standing
union all
select
    null as check_id, 'subject' as effect, null as at, 2 as step,
    'not_judged' as kind,
    case standing
        when 'OUT_OF_SCOPE' then concat('the settings leave ', repository_path, ' out: `in-scope = false`')
        when 'NO_PRODUCTION_BRANCH' then concat('no production branch is configured for ', repository_path)
        when 'NOT_MERGED' then concat('it is ', status, '; only merged pull requests are judged')
        when 'OTHER_BRANCH' then concat('its target ', branch, ' is no production branch of the repository, which are ', patterns)
        when 'BEFORE_START' then concat(
            'it was merged before the start date, ', to_char($start_at, '%Y-%m-%d %H:%M:%S'), ' UTC'
        )
        else concat('it was merged after what is judged, which ends at ', to_char(least($period_to, $as_of), '%Y-%m-%d %H:%M:%S'), ' UTC')
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
        when 'NO_PRODUCTION_BRANCH' then concat('set `production-branches = ["', branch, '"]` for the repository')
        when 'NOT_MERGED' then 'ask again once it is merged and synced'
        when 'OTHER_BRANCH' then concat('add "', branch, '" to `production-branches` if changes reach production from it')
        when 'BEFORE_START' then 'set an earlier `checks.start-date`, and sync: details are read for what is judged'
        else '`adolake sync` reads on; `--as-of` judges a later state'
    end as fact,
    null as why, standing as id, null as url
from standing
where standing is not null
