-- one row per production branch that exists, with what was merged into it and how many build validations protect it
with
merged as (
    select organization, repository_id, branch, count(*) as merged_count
    from merged_pull_requests
    group by organization, repository_id, branch
),
validations as (
    select organization, repository_id, branch, count(*) as validation_count
    from effective_branch_policies
    where policy_kind = 'build_validation' and is_enabled and is_blocking
    group by organization, repository_id, branch
)
select
    existing.project_id, existing.project, existing.repository, existing.repository_id, existing.branch, existing.ref_name,
    coalesce(merged.merged_count, 0) as merged_count, coalesce(validations.validation_count, 0) as validation_count
from production_branches_existing as existing
left join merged
    on merged.organization = existing.organization
    and merged.repository_id = existing.repository_id
    and merged.branch = existing.branch
left join validations
    on validations.organization = existing.organization
    and validations.repository_id = existing.repository_id
    and validations.branch = existing.branch
where not existing.is_gone
order by existing.project, existing.repository, existing.repository_id, existing.branch
