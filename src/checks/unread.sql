-- Tables that no sync of an organization has read in full.
with
-- inputs
organizations as (select distinct organization from settings_in_force),
-- one row per table and the resource by which a sync fills it
filled as (
    select column1 as table_name, column2 as resource
    from (values
        ('organizations', 'organizations'),
        ('profiles', 'profiles'),
        ('projects', 'projects'),
        ('users', 'users'),
        ('repositories', 'repositories'),
        ('branches', 'branches'),
        ('branch_policies', 'branch_policies'),
        ('pipelines', 'pipelines'),
        ('retention_settings', 'retention_settings'),
        ('pipeline_runs', 'pipeline_runs'),
        ('pipeline_run_finishes', 'pipeline_runs'),
        ('pipeline_run_jobs', 'pipeline_run_jobs'),
        ('pushes', 'pushes'),
        ('population_counts', 'pull_requests'),
        ('pull_requests', 'pull_requests'),
        ('pull_request_reviewers', 'pull_requests'),
        ('pull_request_labels', 'pull_requests'),
        ('pull_request_votes', 'pull_request_details'),
        ('pull_request_iterations', 'pull_request_details'),
        ('pull_request_statuses', 'pull_request_details'),
        ('pull_request_policy_evaluations', 'pull_request_details'),
        ('pull_request_commits', 'pull_request_details'),
        ('pull_request_changes', 'pull_request_details')
    )
)
select organizations.organization, filled.table_name
from filled
cross join organizations
where not exists (
    select 1
    from sync_runs
    where sync_runs.organization = organizations.organization
        and sync_runs.resource = filled.resource
        and sync_runs.status = 'ok'
)
order by organizations.organization, filled.table_name
