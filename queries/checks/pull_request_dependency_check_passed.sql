-- id: pull_request_dependency_check_passed
-- title: Every merged pull request passed a dependency check
-- severity: high
-- controls: SOC2 CC7.1, CC8.1; ISO27001 A.8.8, A.8.29; PCI-DSS 6.3.2; NIST SSDF PW.4
-- reads: evidence_verdicts
-- params: start_at timestamp; period_from timestamp; period_to timestamp; as_of timestamp; profile text
-- slices: by repository
-- rationale: A library with a known weakness enters production with the change that brings it in.
-- remediation: Run a dependency scanner on every pull request as build validation or as a required status, and wait for it before completing.

with
-- one row per pull request merged in the period, and per repository without a production branch pattern
verdicts as (
    select * from evidence_verdicts
    where kind = 'dependency_checks'
        and profile = $profile
        and (merged_at is null or (merged_at >= greatest($start_at, $period_from) and merged_at <= least($period_to, $as_of)))
)
select
    organization, project, repository_id, repository, branch, pull_request_id,
    subject, resource_url, status, reason_code, reason, flags, evidence_json
from verdicts
order by organization, project, repository, branch, pull_request_id, repository_id
