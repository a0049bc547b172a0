// SPDX-License-Identifier: MIT
// The operators of tests/mutation/OPERATORS.md, on a policy small enough to see all of it.
#include <doctest/doctest.h>

#include <algorithm>

#include "mutation/operators.h"

using namespace schedcp::mutation;

namespace {

const char* const kPolicy = R"(/* scx_insert(p, X, 1, 0); if (comment) */
#define SHARED 0
#define OTHER 1
KNOB(u64, slice_us, 5000, "500..100000", "A sentence.");
static u64 now;

void BPF_STRUCT_OPS(x_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct context *context = find(p);
	u64 vtime = p->scx.dsq_vtime;

	if (!context)
		return;
	STAT_INC(enqueued);
	if (before(vtime, now - 7) && context->light)
		vtime = now;
	now = vtime;
	scx_insert_vtime(p, SHARED, slice_us * NSEC_PER_USEC, vtime * 100 / p->scx.weight, enq_flags);
	scx_bpf_kick_cpu(0, SCX_KICK_IDLE);
}

s32 BPF_STRUCT_OPS_SLEEPABLE(x_init)
{
	return scx_bpf_create_dsq(SHARED, -1) ?: scx_bpf_create_dsq(OTHER, -1);
}

SEC(".struct_ops.link")
struct sched_ext_ops x_ops = {
    .enqueue = (void *)x_enqueue,
    .init = (void *)x_init,
    .timeout_ms = 10000,
    .name = "x",
};
)";

std::vector<std::string> of(const std::vector<Mutation>& all, const std::string& op) {
  std::vector<std::string> found;
  for (const auto& one : all)
    if (one.op == op) found.push_back(one.was + " -> " + one.now);
  return found;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("each operator fits where OPERATORS.md says, and nowhere else") {
  const Source source(kPolicy);
  const auto all = mutations_of(source);
  CHECK(source.queues() == Words{"SHARED", "OTHER"});
  REQUIRE(of(all, "drop-insert").size() == 1);
  CHECK(of(all, "drop-insert")[0].starts_with("scx_insert_vtime(p, SHARED, "));
  CHECK(of(all, "drop-kick") == Words{"scx_bpf_kick_cpu(0, SCX_KICK_IDLE) -> "});
  CHECK(of(all, "drop-call").empty());
  CHECK(of(all, "drop-jump") == Words{"return -> "});
  CHECK(of(all, "drop-update") == Words{"now = vtime -> "});
  CHECK(of(all, "negate").size() == 2);
  CHECK(of(all, "negate")[0] == "!context -> !(!context)");
  CHECK(of(all, "drop-test") == Words{"!context -> 0"});
  CHECK(of(all, "swap-order") == Words{"vtime, now - 7 -> now - 7, vtime"});
  CHECK(of(all, "swap-logic") == Words{"&& -> ||"});
  CHECK(of(all, "swap-arithmetic") == Words{"- -> +", "* -> /", "* -> /", "/ -> *"});
  CHECK(of(all, "swap-queue") == Words{"SHARED -> OTHER", "SHARED -> OTHER", "OTHER -> SHARED"});
  CHECK(of(all, "zero-slice") == Words{"slice_us * NSEC_PER_USEC -> 0"});
  CHECK(of(all, "endless-slice") == Words{"slice_us * NSEC_PER_USEC -> SCX_SLICE_INF"});
  CHECK(of(all, "zero-vtime") == Words{"vtime * 100 / p->scx.weight -> 0"});
  CHECK(of(all, "drop-flags") == Words{"enq_flags -> 0", "SCX_KICK_IDLE -> 0"});
  CHECK(of(all, "swap-kick") == Words{"SCX_KICK_IDLE -> SCX_KICK_PREEMPT"});
  CHECK(of(all, "forget-weight") == Words{"p->scx.weight -> 100"});
  CHECK(of(all, "drop-unit") == Words{"NSEC_PER_USEC -> 1"});
  CHECK(of(all, "drop-create").size() == 2);
  CHECK(of(all, "drop-callback") ==
        Words{".enqueue = (void *)x_enqueue, -> ", ".init = (void *)x_init, -> "});
  CHECK(of(all, "constant") ==
        Words{"7 -> (7 + 1)", "100 -> 0", "0 -> (0 + 1)", "1 -> (1 + 1)", "1 -> 0"});
}

TEST_CASE("a mutation changes what it says, in its line, and leaves the rest") {
  const std::string text = kPolicy;
  const Source source(text);
  for (const auto& one : mutations_of(source)) {
    CAPTURE(one.op);
    const std::string changed = one.apply(text);
    CHECK(changed != text);
    CHECK(changed.substr(0, one.at) == text.substr(0, one.at));
    CHECK(changed.size() == text.size() - one.length + one.with.size());
    CHECK(std::count(text.begin(), text.begin() + long(one.at), '\n') + 1 == one.line);
  }
}

TEST_CASE("of a header only the functions that are named are changed") {
  const Source source(kPolicy);
  const auto some = mutations_of(source, {"x_init"});
  CHECK_FALSE(some.empty());
  for (const auto& one : some) CHECK(one.line == 24);
}
