// SPDX-License-Identifier: MIT
// The search with the real policies and profiles of each kind.
#include <doctest/doctest.h>

#include "base/error.h"
#include "tools/search/record.h"
#include "tools/search/score.h"

using namespace schedcp;

namespace {

const fs::path policies = fs::path(SCHEDCP_SOURCE_DIR) / "policies";

Store real_store() {
  Store store = Store::in_memory();
  refresh_builtins(store, policies);
  return store;
}

Profile long_tail() {
  const std::string text = read_file(fs::path(SCHEDCP_SOURCE_DIR) / "tests/data/profile.json");
  auto profile = from_json<Profile>(parse_stream(text, "profile.json").at(0));
  profile.header.context.goal.reset();
  return profile;
}

Profile classified(const std::string& label) {
  auto profile = new_document<Profile>();
  profile.header.context.command = {"./" + label};
  profile.classification = {label, 0.8, {}};
  return profile;
}

Profile desktop() {
  auto profile = classified("interactive");
  profile.features.cpu_demand = 2.2;
  profile.features.sleep_share = 0.6;
  profile.features.run_queue_p99_us = 9000;
  profile.features.tail_ratio = 40;
  profile.features.longest_share = 0.4;
  profile.features.named_tail_share = 0.8;
  profile.features.wakeup_rate_hz = 600;
  return profile;
}

Profile many_equal() {
  auto profile = classified("batch");
  profile.features.cpu_demand = 6;
  profile.features.sleep_share = 0.05;
  profile.features.tail_ratio = 1.6;
  profile.features.longest_share = 0.01;
  profile.features.named_tail_share = 0;
  profile.features.wakeup_rate_hz = 40;
  return profile;
}

const fs::path vocabulary_file = fs::path(SCHEDCP_SOURCE_DIR) / "tools/search/vocabulary.json";

std::vector<Candidate> search(Store& store, const Query& query, size_t top, double floor = 0.2) {
  Vocabulary vocabulary(vocabulary_file);
  return Search(store, vocabulary, vocabulary).find(query, top, floor);
}

std::string best(Store& store, const Query& query) {
  const auto found = search(store, query, 3, 0);
  return found.empty() ? "" : found[0].policy.name;
}

std::vector<std::string> best_three(Store& store, const Query& query) {
  std::vector<std::string> names;
  for (const auto& one : search(store, query, 3, 0)) names.push_back(one.policy.name);
  return names;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Measurement measured(const Profile& profile, const std::string& policy, const std::string& verdict,
                     Quantity ratio) {
  auto measurement = new_document<Measurement>({&profile.header});
  measurement.command = profile.header.context.command;
  measurement.target = "vm";
  measurement.kernel = "6.12";
  measurement.metric = "over";
  measurement.better = "lower";
  Arm baseline, arm;
  baseline.name = "default";
  baseline.verdict = "baseline";
  arm.name = policy;
  arm.verdict = verdict;
  arm.runs = ratio.n;
  arm.ratio = ratio;
  measurement.arms = {baseline, arm};
  return measurement;
}

void reject(Store& store, const std::string& policy, const std::string& reason,
            const Profile* on = nullptr, const std::optional<std::string>& summary = {}) {
  auto verdict = on ? new_document<Verdict>({&on->header}) : new_document<Verdict>();
  verdict.reason = reason;
  verdict.candidate.policy.name = policy;
  verdict.candidate.policy.summary = summary;
  store.remember(*experience_of(verdict), verdict.header.id);
}

/// What a search says besides its candidates.
std::vector<std::string> told(Store& store, const Query& query) {
  Vocabulary vocabulary(vocabulary_file);
  Search search(store, vocabulary, vocabulary);
  std::vector<Experience> refused;
  search.find(query, 3, Search::least_score, &refused);
  return search.warnings(query, refused);
}

void remember(Store& store, const Measurement& measurement) {
  for (const auto& one : experiences_of(measurement)) store.remember(one, measurement.header.id);
}

}  // namespace

TEST_CASE("every policy's manifest is sound and says what it can improve") {
  Store store = real_store();
  CHECK(store.policies().size() >= 15);
  for (const auto& row : store.policies()) {
    CAPTURE(row.manifest.name);
    CHECK(row.manifest.summary.ends_with("."));
    CHECK_FALSE(row.manifest.signature.empty());
    CHECK_FALSE(row.manifest.labels.empty());
    CHECK_FALSE(row.manifest.goals.empty());
    CHECK_FALSE(row.manifest.unsuited.empty());
    CHECK_FALSE(row.source.empty());
  }
}

TEST_CASE("the policy that is meant for a workload comes first") {
  Store store = real_store();
  CHECK(best(store, {long_tail(), {}, ""}) == "ljf");
  CHECK(best(store, {long_tail(), {}, "makespan"}) == "ljf");
  CHECK(best(store, {long_tail(), {}, "mean_completion"}) == "sjf");
  CHECK(best(store, {desktop(), {}, ""}) == "interactive");
  CHECK(best(store, {desktop(), {}, "latency"}) == "interactive");
  CHECK(best(store, {many_equal(), {}, "mean_completion"}) == "sjf");
  for (const char* label : {"latency", "interactive", "mixed"})
    CHECK(has(best_three(store, {classified(label), {}, "latency"}), "vtime"));
}

TEST_CASE("a summary profile without task lengths still finds by its classification") {
  Store store = real_store();
  auto profile = classified("long_tail_batch");
  profile.features.parallelism = 1.4;
  CHECK(best(store, {profile, {}, ""}) == "ljf");
}

TEST_CASE("words find policies by name, stem and subject") {
  Store store = real_store();
  CHECK(best(store, {{}, {"ljf"}, ""}) == "ljf");
  CHECK(best(store, {{}, {"interactive", "latency"}, ""}) == "interactive");
  CHECK(best(store, {{}, {"stragglers"}, ""}) == "ljf");
  CHECK(best(store, {{}, {"round-robin"}, ""}) == "fifo");
  CHECK(search(store, {{}, {"xyzzy"}, ""}, 3).empty());
}

TEST_CASE("a candidate carries score, reasons, the context and the goal") {
  Store store = real_store();
  const auto found = search(store, {long_tail(), {}, "makespan"}, 1);
  REQUIRE(found.size() == 1);
  const Candidate& ljf = found[0];
  CHECK(ljf.score > 0.9);
  CHECK(ljf.score <= 1);
  CHECK(ljf.header.context.command == long_tail().header.context.command);
  CHECK(ljf.header.context.goal == "makespan");
  CHECK(ljf.header.from == std::vector{long_tail().header.id});
  CHECK_FALSE(ljf.policy.path);
  const std::string why = join(ljf.why, "; ");
  CHECK(why.find("tail_ratio 39.4 is at least") != why.npos);
  CHECK(why.find("it is for makespan") != why.npos);
}

TEST_CASE("what was measured here outweighs what the manifest promises") {
  Store store = real_store();
  const auto profile = long_tail();
  store.remember(workload_of(profile));
  remember(store, measured(profile, "ljf", "worse", {12, 1.3, 1.25, 1.35}));
  remember(store, measured(profile, "vtime", "better", {12, 0.8, 0.78, 0.82}));
  const auto found = search(store, {profile, {}, ""}, 4, 0);
  REQUIRE(found.size() == 4);
  CHECK(found[0].policy.name == "vtime");
  CHECK(found[0].why[0].starts_with("measured here: better, 0.800 of the default's cost"));
}

TEST_CASE("what was measured on a like workload counts, on an unlike one it does not") {
  Store store = real_store();
  const auto known = long_tail();
  store.remember(workload_of(known));
  remember(store, measured(known, "ljf", "worse", {12, 1.3, 1.25, 1.35}));
  auto like = long_tail();
  like.header.context.command = {"./pack", "another corpus"};
  const auto score = [](Store& in, const Profile& profile) {
    for (const auto& candidate : search(in, {profile, {}, ""}, 99, 0))
      if (candidate.policy.name == "ljf") return candidate.score;
    return -1.0;
  };
  Store fresh = real_store();
  CHECK(score(store, like) < score(fresh, like) - 0.2);
  CHECK(score(store, desktop()) == score(fresh, desktop()));
}

TEST_CASE("a policy that was rejected is not offered, on no workload, and is named") {
  Store store = real_store();
  const auto profile = long_tail();
  store.remember(workload_of(profile));
  reject(store, "ljf", "stress: a task waited 10 s", &profile);
  for (const Query& query :
       {Query{profile, {}, ""}, Query{{}, {"longest job first"}, ""}, Query{{}, {"ljf"}, ""}}) {
    CHECK(best(store, query) != "ljf");
    CHECK(told(store, query) ==
          std::vector<std::string>{"not offered: 'ljf' was rejected: stress: a task waited 10 s"});
  }
  // What it is not for at all needs no word of it.
  CHECK(told(store, {desktop(), {}, ""}).empty());
  Query rejected{{}, {"longest job first"}, ""};
  rejected.filters.status = "rejected";
  const auto found = search(store, rejected, 3);
  REQUIRE(found.size() == 1);
  CHECK(found[0].why[0] == "rejected: stress: a task waited 10 s");
}

TEST_CASE("a policy rejected by regress is not offered on that workload alone") {
  Store store = real_store();
  const auto profile = long_tail();
  store.remember(workload_of(profile));
  reject(store, "ljf", "regress: 1.3 times the default's", &profile);
  CHECK(best(store, {profile, {}, ""}) != "ljf");
  CHECK(told(store, {profile, {}, ""}).size() == 1);
  CHECK(best(store, {{}, {"longest job first"}, ""}) == "ljf");
  auto other = long_tail();
  other.header.context.command = {"./pack", "another corpus"};
  CHECK(told(store, {other, {}, ""}).empty());
}

TEST_CASE("what never came into the repository is named by its summary, or else by its name") {
  Store store = real_store();
  reject(store, "polite", "sim: a task waits", nullptr,
         "Niced background work runs when nobody else wants a CPU.");
  const Query query{{}, {"background work of low priority"}, ""};
  CHECK(told(store, query).size() == 1);
  // A row that knows no summary does not hide the one that does.
  reject(store, "polite", "stress: it stalled");
  CHECK(told(store, query) ==
        std::vector<std::string>{"not offered: 'polite' was rejected: stress: it stalled"});
  reject(store, "qqzz", "sim: a task waits");
  CHECK(told(store, {{}, {"what is qqzz"}, ""}).size() == 1);
  CHECK(told(store, {{}, {"battery life"}, ""}).empty());
}

TEST_CASE("a policy that was tried often gives way, where much was measured") {
  const auto profile = long_tail();
  const auto sure = [&](int times) {
    Store store = real_store();
    store.remember(workload_of(profile));
    for (int i = 0; i < times; ++i)
      remember(store, measured(profile, "vtime", "better", {12, 0.9, 0.89, 0.91}));
    std::map<std::string, Candidate> found;
    for (const auto& one : search(store, {profile, {}, ""}, 99, 0)) found[one.policy.name] = one;
    return found;
  };
  auto none = sure(0), few = sure(3), many = sure(12);
  CHECK(many["vtime"].score < few["vtime"].score - 0.02);
  CHECK(join(many["vtime"].why, "; ").find("tried often -") != std::string::npos);
  CHECK(join(few["vtime"].why, "; ").find("tried often") == std::string::npos);
  // Who was not tried keeps what it promises.
  CHECK(many["sjf"].score == none["sjf"].score);
}

TEST_CASE("a policy that was refused is offered again as another, which says so until it is run") {
  Store store = real_store();
  const Query query{{}, {"fair", "nice values"}, ""};
  REQUIRE(best(store, query) == "vtime");
  const auto usual = search(store, query, 1).at(0);
  auto verdict = new_document<Verdict>();
  verdict.reason = "static: a queue is never drained";
  verdict.candidate.policy.name = "vtime";
  verdict.candidate.policy.version = "0.9";
  verdict.object = ObjectRef{"vtime.bpf.o", "of another object", 0};
  store.remember(*experience_of(verdict), verdict.header.id);
  const auto vtime = search(store, query, 1).at(0);
  CHECK(vtime.policy.name == "vtime");
  CHECK(vtime.score == usual.score);
  CHECK(vtime.why[0] ==
        "version 0.9 was rejected: static: a queue is never drained; this one was not judged yet");
  Store other = real_store();
  other.remember(*experience_of(verdict), verdict.header.id);
  remember(other, measured(long_tail(), "vtime", "better", {6, 0.9, 0.85, 0.95}));
  CHECK(search(other, query, 1).at(0).why == usual.why);
  auto accepted = verdict;
  accepted.accepted = true;
  accepted.header.id = new_document<Verdict>().header.id;
  accepted.object->sha256 = store.policy("vtime")->object_hash;
  CHECK_FALSE(experience_of(accepted));  // some stages were left out
  accepted.token = "a token";
  store.remember(*experience_of(accepted), accepted.header.id);
  CHECK(search(store, query, 1).at(0).why == usual.why);
}

TEST_CASE("a rejection of one setting leaves the others, one by the first stages none") {
  Store store = real_store();
  const Query query{{}, {"mix and match", "building blocks"}, ""};
  REQUIRE(best(store, query) == "compose");
  auto verdict = new_document<Verdict>();
  verdict.reason = "sim: a task waits";
  verdict.candidate.policy.name = "compose";
  verdict.candidate.knobs = {{"ordering", 3}};
  store.remember(*experience_of(verdict), verdict.header.id);
  CHECK(best(store, query) == "compose");
  reject(store, "compose", "build: it does not compile");
  CHECK(best(store, query) != "compose");
}

TEST_CASE("a measurement counts by how sure it is") {
  const auto profile = desktop();
  const auto after = [&](const std::string& verdict, Quantity ratio) {
    Store store = real_store();
    store.remember(workload_of(profile));
    remember(store, measured(profile, "interactive", verdict, ratio));
    for (const auto& one : search(store, {profile, {}, ""}, 99, 0))
      if (one.policy.name == "interactive") return one.score;
    return -1.0;
  };
  Store fresh = real_store();
  const double promised = search(fresh, {profile, {}, ""}, 1).at(0).score;
  REQUIRE(promised > 0.9);
  CHECK(after("no_difference", {6, 1.041, 0.331, 1.83}) > promised - 0.04);
  CHECK(after("no_difference", {6, 1.041, 0.331, 1.83}) < promised);
  CHECK(after("no_difference", {12, 1, 0.98, 1.02}) == doctest::Approx(0.54).epsilon(0.03));
  CHECK(after("worse", {12, 1.3, 1.28, 1.32}) < 0.2);
  CHECK(after("worse", {12, 1.3, 1.01, 1.7}) > 0.5);
  CHECK(after("better", {12, 0.7, 0.69, 0.71}) > 0.95);
  // Of one pair there is no interval.
  CHECK(after("worse", {1, 1.3, 1.3, 1.3}) > promised - 0.2);
  CHECK(worth({0, "p", "better", Quantity{6, 0.8, 0.7, 0.9}, 6}) ==
        doctest::Approx(0.903).epsilon(0.01));
}

TEST_CASE("several measurements are surer than one, and one says nothing of the untried") {
  const auto profile = desktop();
  Store store = real_store();
  store.remember(workload_of(profile));
  const Quantity wide{6, 1, 0.7, 1.4};
  const auto score = [&] {
    for (const auto& one : search(store, {profile, {}, ""}, 99, 0)) {
      CHECK(join(one.why, "; ").find("tried often") == std::string::npos);
      if (one.policy.name == "interactive") return one.score;
    }
    return -1.0;
  };
  const double none = score();
  remember(store, measured(profile, "interactive", "no_difference", wide));
  const double once = score();
  remember(store, measured(profile, "interactive", "no_difference", wide));
  CHECK(once < none);
  CHECK(score() < once);
}

TEST_CASE("what was promoted comes first where it fits, unless it was measured worse") {
  const auto profile = desktop();
  const Query query{profile, {}, ""};
  Store store = real_store();
  store.remember(workload_of(profile));
  const auto before = search(store, query, 99, 0);
  const std::string second = before[1].policy.name, last = before.back().policy.name;
  REQUIRE(before[1].score > 0.75 * before[0].score);
  store.stand(last, "promoted", "I like it");
  CHECK(search(store, query, 99, 0).back().policy.name == last);
  store.stand(second, "promoted", "measured on many machines");
  auto now = search(store, query, 99, 0);
  CHECK(now[0].policy.name == second);
  CHECK(now[0].score >= now[1].score);
  CHECK(now[0].score <= 1);
  CHECK(join(now[0].why, "; ").find("promoted +") != std::string::npos);
  // An inconclusive measurement does not undo it, a loss does.
  remember(store, measured(profile, second, "no_difference", {6, 1.04, 0.33, 1.83}));
  CHECK(best(store, query) == second);
  remember(store, measured(profile, second, "worse", {12, 1.3, 1.25, 1.35}));
  CHECK(best(store, query) != second);
}

TEST_CASE("no score is cut, so that the order can be seen") {
  const auto profile = desktop();
  Store store = real_store();
  store.remember(workload_of(profile));
  for (int i = 0; i < 40; ++i)
    remember(store, measured(profile, "fifo", "no_difference", {12, 1, 0.98, 1.02}));
  const auto found = search(store, {profile, {}, ""}, 3, 0);
  CHECK(found[0].score <= 1);
  CHECK(found[1].score < found[0].score);
  CHECK(found[2].score < found[1].score);
}

TEST_CASE("what was promoted is preferred, what was retired is only found when asked for") {
  Store store = real_store();
  const Query query{{}, {"batch"}, ""};
  const auto before = search(store, query, 99, 0);
  REQUIRE(before.size() >= 2);
  const std::string first = before[0].policy.name, second = before[1].policy.name;
  store.stand(second, "promoted", "measured");
  store.stand(first, "retired", "too slow");
  auto now = search(store, query, 99, 0);
  CHECK(now[0].policy.name == second);
  CHECK(now[0].score > before[1].score);
  // With a goal every policy has something to promise; words alone find what is like the best.
  const Query any{{}, {"batch"}, "throughput"};
  Store untouched = real_store();
  CHECK(search(store, any, 99, 0).size() == search(untouched, any, 99, 0).size() - 1);
  for (const auto& one : now) CHECK(one.policy.name != first);
  Query retired = query;
  retired.filters.status = "retired";
  now = search(store, retired, 99, 0);
  REQUIRE(now.size() == 1);
  CHECK(now[0].policy.name == first);
  CHECK(join(now[0].why, "; ").find("retired: too slow") != std::string::npos);
}

TEST_CASE("policies are filtered by kernel, CPUs and tags") {
  Store store = Store::in_memory();
  PolicyRow row;
  row.origin = "added";
  row.manifest.name = "wide";
  row.manifest.version = "1";
  row.manifest.summary = "For many cores.";
  row.manifest.minimum_kernel = "6.14";
  row.manifest.cpus.min = 16;
  row.manifest.tags = {"many-core", "numa"};
  row.manifest_json = dump(to_json_value(row.manifest));
  row.source = "/* */";
  row.digest = digest_of(row);
  store.put(row);
  const auto finds = [&](const Filters& filters) {
    return !search(store, {{}, {"many", "cores"}, "", filters}, 1).empty();
  };
  TempDir dir;  // where its source is put for whoever takes the candidate
  setenv("SCHEDCP_STATE_DIR", dir.path().c_str(), 1);
  CHECK(finds({}));
  CHECK(finds({.kernel = "6.14.2-arch1"}));
  CHECK_FALSE(finds({.kernel = "6.12"}));
  CHECK(finds({.cpus = 16}));
  CHECK_FALSE(finds({.cpus = 8}));
  CHECK(finds({.tags = {"numa"}}));
  CHECK(finds({.tags = {"numa", "many-core"}}));
  CHECK_FALSE(finds({.tags = {"numa", "core"}}));
  CHECK_FALSE(finds({.tags = {"many"}}));
  CHECK_FALSE(finds({.status = "promoted"}));
  unsetenv("SCHEDCP_STATE_DIR");
}

TEST_CASE("knobs are taken from the profile's lengths and cut to their range") {
  Store store = real_store();
  PolicyRow row = *store.policy("fifo");
  Setting setting;
  setting.labels = {"long_tail_batch"};
  setting.scaled["slice_us"] = {"length_p50_ms", 1000};
  setting.why = "a turn as long as the median task";
  row.manifest.settings = {setting};
  const fs::path built = fs::path(SCHEDCP_BUILD_DIR) / "share/schedcp/policies/fifo/fifo.bpf.o";
  const PolicyObject object(read_file(built), "'fifo'");
  auto profile = long_tail();
  const auto slice = [&](double length_ms) {
    profile.features.length_p50_ms = length_ms;
    std::vector<std::string> why;
    const auto knobs = knobs_for(row.manifest, &object, {profile, {}, ""}, why);
    REQUIRE(knobs.size() == 1);
    CHECK(why.at(0).find("a turn as long as the median task (length_p50_ms is") !=
          std::string::npos);
    return knobs[0].value;
  };
  CHECK(slice(12) == 12'000);
  CHECK(slice(1e9) == object.knob("slice_us").max);
  CHECK(slice(1e-9) == object.knob("slice_us").min);
}

TEST_CASE("a metric that is better when higher is remembered as a cost") {
  auto measurement = measured(long_tail(), "ljf", "better", {6, 1.25, 1.2, 1.3});
  measurement.better = "higher";
  const auto ratio = experiences_of(measurement).at(0).ratio;
  CHECK(ratio->median == doctest::Approx(0.8));
  CHECK(ratio->low == doctest::Approx(1 / 1.3));
  CHECK(ratio->high == doctest::Approx(1 / 1.2));
}

TEST_CASE("a winner is remembered by its fresh confirmation") {
  auto measurement = measured(long_tail(), "ljf", "better", {6, 0.7, 0.6, 0.8});
  measurement.winner = "ljf";
  measurement.confirmation = Quantity{8, 0.75, 0.74, 0.76};
  const auto experience = experiences_of(measurement).at(0);
  CHECK(experience.ratio->median == 0.75);
  CHECK(experience.runs == 8);
}

TEST_CASE("what did not count teaches nothing") {
  auto measurement = measured(long_tail(), "ljf", "no_difference", {0, 1, 1, 1});
  measurement.arms[1].ratio.reset();
  CHECK(experiences_of(measurement).empty());
  measurement.arms[1].verdict = "failed";
  measurement.arms[1].drop_reasons = {"the policy was ejected"};
  CHECK(experiences_of(measurement).at(0).reason == "the policy was ejected");
}

TEST_CASE("membership halves with each factor of two outside the range") {
  const Traits::Bounds range{4, 8};
  CHECK(membership(4, range) == 1);
  CHECK(membership(6, range) == 1);
  CHECK(membership(2, range) == doctest::Approx(0.5));
  CHECK(membership(32, range) == doctest::Approx(0.25));
  CHECK(membership(0, {Traits::none, 0.5F}) == 1);
}

TEST_CASE("what is like the wanted kind is half a promise, and no feature settles it alone") {
  auto profile = classified("long_tail_batch");
  profile.classification.confidence = 1;
  profile.machine.cpus = 64;
  profile.features.tail_ratio = 1000;
  const auto of = [&](const std::string& label, const std::string& goal, Range cpus = {},
                      Range tail = {}) {
    Manifest manifest;
    manifest.labels = {label};
    manifest.goals = {goal};
    manifest.cpus = cpus;
    if (tail.max) manifest.signature["tail_ratio"] = tail;
    return Fit({profile, {}, "makespan"}).of(traits_of(manifest));
  };
  CHECK(of("long_tail_batch", "makespan") == 1);
  CHECK(of("batch", "makespan") < 1);
  CHECK(of("batch", "makespan") > of("interactive", "makespan"));
  CHECK(of("batch", "throughput") < of("batch", "makespan"));
  CHECK(of("batch", "throughput") > of("batch", "latency"));
  CHECK(of("batch", "makespan", {std::nullopt, 16}) < of("batch", "makespan", {32, std::nullopt}));
  CHECK(of("long_tail_batch", "makespan", {}, {std::nullopt, 1}) > 0.5);
  CHECK(Fit({{}, {"words"}, ""}).of(Traits()) == 0.5);
}

TEST_CASE("a goal that policies do not name counts as words") {
  Store store = real_store();
  const auto found = best_three(store, {many_equal(), {}, "fairness"});
  CHECK((has(found, "vtime") || has(found, "lottery")));
  CHECK_FALSE(has(best_three(store, {many_equal(), {}, "throughput"}), "vtime"));
}

TEST_CASE("an unknown policy is refused with the nearest name") {
  Store store = real_store();
  CHECK_THROWS_WITH_AS(find_policy(store, "vtim"), doctest::Contains("did you mean 'vtime'"),
                       Error);
}
