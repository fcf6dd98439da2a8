-- id: latest_check_results
-- title: The verdicts that stand
-- grain: one row per profile, check and resource (a repository and its successor of the same name are two): its latest verdict; what left the population has no row
-- reads: check_results

with
-- one row per profile, check and resource of a repository: when its verdict last changed
latest as (
    select organization, profile, check_id, resource, repository_id, max(checked_at) as checked_at
    from check_results
    group by organization, profile, check_id, resource, repository_id
)
select
    results.organization,
    results.profile,
    results.check_id,
    results.resource,
    results.run_id,
    results.checked_at,
    results.project,
    results.repository_id,
    results.repository,
    results.branch,
    results.pull_request_id,
    results.subject,
    results.resource_url,
    results.status,
    results.reason_code,
    results.reason,
    results.flags,
    results.evidence_json
from check_results as results
join latest
    on latest.organization = results.organization
    and latest.profile = results.profile
    and latest.check_id = results.check_id
    and latest.resource = results.resource
    and (latest.repository_id is not distinct from results.repository_id)
    and latest.checked_at = results.checked_at
where results.status <> 'withdrawn'
