// SPDX-License-Identifier: MIT
// The one place where each document type's reading, printing and schema are compiled.
#include "doc/report.h"
#include "doc/repository.h"
#include "doc/simulation.h"

namespace schedcp {

#define SCHEDCP_KIND(D)                 \
  template D from_json<D>(const Json&); \
  template Json to_json<D>(const D&);   \
  template Json document_schema<D>()

SCHEDCP_KIND(Candidate);
SCHEDCP_KIND(Verdict);
SCHEDCP_KIND(Profile);
SCHEDCP_KIND(Measurement);
SCHEDCP_KIND(Deployment);
SCHEDCP_KIND(Rollback);
SCHEDCP_KIND(Report);
SCHEDCP_KIND(Diagnosis);
SCHEDCP_KIND(PolicyEntry);
SCHEDCP_KIND(Experience);
SCHEDCP_KIND(Standing);
SCHEDCP_KIND(Repository);
SCHEDCP_KIND(Integrity);
SCHEDCP_KIND(WorkloadModel);
SCHEDCP_KIND(MachineModel);
SCHEDCP_KIND(Simulation);

}  // namespace schedcp
