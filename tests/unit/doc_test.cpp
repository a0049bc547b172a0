// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "doc/report.h"

using namespace schedcp;

namespace {

Candidate candidate(const std::string& text) {
  return from_json<Candidate>(parse_stream(text, "stdin").at(0));
}

void refused(const std::string& text, const std::string& message) {
  INFO(text);
  try {
    candidate(text);
    FAIL("it was accepted");
  } catch (const Error& error) {
    CHECK(error.code == ExitCode::usage);
    CHECK(error.what() == message);
  }
}

}  // namespace

TEST_CASE("a document survives being written and read") {
  Candidate one = new_document<Candidate>();
  one.policy = {.name = "ljf", .version = "1", .path = {}, .summary = {}};
  one.score = 0.25;
  one.why = {"a \"reason\"\n"};
  one.knobs = {{"slice_us", 5000}};
  one.hints = {{"gzip", 0.5}};
  one.header.context.command = {"make", "-j8"};
  const std::string text = dump(to_json(one));
  const Candidate two = candidate(text);
  CHECK(two.policy.name == "ljf");
  CHECK(two.knobs == one.knobs);
  CHECK(two.hints == one.hints);
  CHECK(two.why == one.why);
  CHECK(two.header.context.command == one.header.context.command);
  CHECK(dump(to_json(two)) == text);
}

TEST_CASE("the context is carried on and the parents are named") {
  Candidate parent = new_document<Candidate>();
  parent.header.context.goal = "makespan";
  const Verdict child = new_document<Verdict>({&parent.header});
  CHECK(child.header.context.goal == "makespan");
  CHECK(child.header.from == std::vector<std::string>{parent.header.id});
}

TEST_CASE("what is wrong in a document is named with its place") {
  const std::string head = R"("schema":"schedcp.candidate/1",)";
  refused("{" + head + R"("policy":{"name":"x"},"knobs":[{"name":"a","value":"b"}]})",
          "/knobs/0/value: expected integer, got string");
  refused("{" + head + R"("polcy":{"name":"x"}})", "/polcy: unknown key; did you mean 'policy'?");
  refused("{" + head + R"("policy":{}})", "/policy/name: missing (string)");
  refused("{" + head + R"("policy":[]})", "/policy: expected object, got array");
  refused("{" + head + R"("policy":{"name":"x"},"knobs":[{"name":"a","value":1e30}]})",
          "/knobs/0/value: expected integer, got number");
  refused(
      "{" + head + R"("policy":{"name":"x"},"knobs":[{"name":"a","value":18446744073709551615}]})",
      "/knobs/0/value: 18446744073709551615 is out of range");
  refused(R"({"policy":{"name":"x"}})", "/schema: missing (string)");
  refused(R"({"schema":"schedcp.candidate/2"})",
          "/schema: 'schedcp.candidate/2' has a version this program does not know");
  refused(R"({"schema":"schedcp.profile/1"})", "expected a candidate, got a profile");
  refused("[]", "document: expected object, got array");
}

TEST_CASE("what is not JSON is named with line and column") {
  CHECK_THROWS_WITH_AS(parse_stream("{}\n  nope", "stdin"), "stdin is not JSON (line 2, column 4)",
                       Error);
  CHECK_THROWS_WITH_AS(parse_stream("{}\n{\"a\":", "stdin"),
                       "stdin ends in the middle of a document (line 2)", Error);
  CHECK_THROWS_AS(parse_stream(std::string(100000, '['), "stdin"), Error);
  CHECK(parse_stream("", "stdin").empty());
  CHECK(parse_stream("{}{}\n\n{\n\"a\":\"}\"}", "stdin").size() == 3);
}

TEST_CASE("every document kind has a maker and a schema that asks for its name") {
  const auto check = []<class D>(D*) {
    CHECK_FALSE(maker_of(D::kind).empty());
    const Json schema = document_schema<D>();
    CHECK(schema["properties"]["schema"]["const"] == std::string("schedcp.") + D::kind + "/1");
    CHECK(schema["additionalProperties"] == false);
    // A fresh document of the kind must be one that its own reader takes.
    CHECK_NOTHROW(kind_of(to_json(new_document<D>())));
  };
  check(static_cast<Profile*>(nullptr));
  check(static_cast<Candidate*>(nullptr));
  check(static_cast<Verdict*>(nullptr));
  check(static_cast<Measurement*>(nullptr));
  check(static_cast<Deployment*>(nullptr));
  check(static_cast<Rollback*>(nullptr));
  check(static_cast<Report*>(nullptr));
  check(static_cast<Diagnosis*>(nullptr));
}

TEST_CASE("invalid UTF-8 cannot make a document invalid") {
  Candidate one = new_document<Candidate>();
  one.policy.name = "x\xff";
  CHECK_NOTHROW(parse_stream(dump(to_json(one)), "stdin"));
}
