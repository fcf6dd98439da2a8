-- How many pull requests were merged into each production branch in each month: as Azure DevOps listed them, and as
-- they stand in the lake.
with
-- inputs
merged as (
    select
        organization, repository_id, branch, merged_at, to_char(merged_at, '%Y-%m') as closed_month
    from merged_pull_requests
    where merged_at >= $period_from and merged_at <= $period_to
),
scoped_repositories as (select organization, repository_id from settings_in_force where in_scope),
counts as (
    select organization, repository_id, substr(ref_name, 12) as branch, closed_month, listed_count, counted_at, is_final
    from population_counts
    where starts_with(ref_name, 'refs/heads/') and closed_month >= $first_month and closed_month <= $last_month
),
-- one row per branch that was counted and is a production branch of a repository in scope
counted_branches as (
    select branches.organization, branches.repository_id, branches.branch
    from (select distinct organization, repository_id, branch from counts) as branches
    join scoped_repositories
        on scoped_repositories.organization = branches.organization
        and scoped_repositories.repository_id = branches.repository_id
    join production_branches_in_force as patterns
        on patterns.organization = branches.organization
        and patterns.repository_id = branches.repository_id
        and glob_match(patterns.pattern, branches.branch)
    group by branches.organization, branches.repository_id, branches.branch
),
-- one row per production branch and month that was listed
listed as (
    select counts.*
    from counts
    join counted_branches
        on counted_branches.organization = counts.organization
        and counted_branches.repository_id = counts.repository_id
        and counted_branches.branch = counts.branch
),
-- one row per repository and month that was listed: whether for good
listings as (
    select organization, repository_id, closed_month, bool_or(is_final) as is_final
    from counts
    group by organization, repository_id, closed_month
),
-- one row per production branch and month in the lake
landed as (
    select
        merged.organization, merged.repository_id, merged.branch, merged.closed_month,
        count(*) as landed,
        count(*) filter (where listed.counted_at is null or merged.merged_at <= listed.counted_at) as landed_then
    from merged
    left join listed
        on listed.organization = merged.organization
        and listed.repository_id = merged.repository_id
        and listed.branch = merged.branch
        and listed.closed_month = merged.closed_month
    group by merged.organization, merged.repository_id, merged.branch, merged.closed_month
),
-- one row per production branch and month
both as (
    select
        coalesce(listed.organization, landed.organization) as organization,
        coalesce(listed.repository_id, landed.repository_id) as repository_id,
        coalesce(listed.branch, landed.branch) as branch,
        coalesce(listed.closed_month, landed.closed_month) as closed_month,
        listed.listed_count as listed,
        listed.counted_at,
        coalesce(landed.landed, 0) as landed,
        coalesce(landed.landed_then, 0) as landed_then
    from listed
    full join landed
        on landed.organization = listed.organization
        and landed.repository_id = listed.repository_id
        and landed.branch = listed.branch
        and landed.closed_month = listed.closed_month
)
select
    both.organization, both.repository_id, both.branch, both.closed_month,
    names.project, names.repository,
    both.listed, both.counted_at, both.landed, both.landed_then,
    coalesce(listings.is_final, false) as is_final
from both
left join settings_in_force as names
    on names.organization = both.organization
    and names.repository_id = both.repository_id
left join listings
    on listings.organization = both.organization
    and listings.repository_id = both.repository_id
    and listings.closed_month = both.closed_month
order by both.organization, both.repository_id, both.branch, both.closed_month
