-- id: pull_request_integration_tests_passed
-- title: Every merged pull request passed its integration tests
-- severity: high
-- controls: SOC2 CC8.1; ISO27001 A.8.29; PCI-DSS 6.5.1; NIST SSDF PW.8
-- reads: evidence_verdicts
-- params: start_at timestamp; period_from timestamp; period_to timestamp; as_of timestamp; profile text
-- slices: by repository
-- rationale: A change that was never run together with the rest can break what customers rely on.
-- remediation: Add a build validation policy that runs the integration tests on every pull request, and wait for it before completing.

with
-- one row per pull request merged in the period, and per repository without a production branch pattern
verdicts as (
    select * from evidence_verdicts
    where kind = 'integration_tests'
        and profile = $profile
        and (merged_at is null or (merged_at >= greatest($start_at, $period_from) and merged_at <= least($period_to, $as_of)))
)
select
    organization, project, repository_id, repository, branch, pull_request_id,
    subject, resource_url, status, reason_code, reason, flags, evidence_json
from verdicts
order by organization, project, repository, branch, pull_request_id, repository_id
