// SPDX-License-Identifier: MIT
// The frame of every program, as a program sees it: what is declared is what is parsed and what
// --describe tells.
#include <doctest/doctest.h>
#include <unistd.h>

#include "base/process.h"
#include "cli/declaration.h"
#include "cli/generate.h"
#include "cli/text.h"

using namespace schedcp;

namespace {

/// A program with one of everything.
struct Everything {
  Program program{"schedcp-every", "Show everything."};
  bool strict = false;
  int64_t runs = 6;
  std::optional<double> ratio;
  std::string goal = "makespan";
  std::vector<std::string> policies, words, command;
  Duration time = std::chrono::seconds(30);
  bool ran = false, sub_ran = false;

  Everything() {
    program.flag("-s,--strict", strict, "Be strict.");
    program.option("--runs", runs, "N", "How often.");
    program.option("--ratio", ratio, "RATIO", "How much.");
    program.option("--goal", goal, "GOAL", "What for.").choices({"makespan", "latency"});
    program.option("--policy", policies, "POLICY", "Which.");
    program.option("--time", time, "DURATION", "How long.");
    program.argument("WORDS", words, "What to look for.");
    program.trailing_command(command, "What to run.");
    program.example("schedcp-every --runs 2", "Do it twice.");
    program
        .subcommand("list", "List it: 'all' [of it].",
                    [this] {
                      sub_ran = true;
                      return ExitCode::no;
                    })
        .example("schedcp-every list", "List it.");
  }

  /// The exit code; what it writes to stdout and stderr goes to nowhere.
  int run(std::vector<std::string> words_given) {
    words_given.insert(words_given.begin(), "schedcp-every");
    std::vector<char*> argv;
    for (auto& word : words_given) argv.push_back(word.data());
    const Fd out{dup(1)}, err{dup(2)}, null = open_file("/dev/null", 2);
    fflush(nullptr);
    dup2(null.get(), 1), dup2(null.get(), 2);
    const int code = program.run(int(argv.size()), argv.data(), [this] {
      ran = true;
      return ExitCode::done;
    });
    fflush(nullptr);
    dup2(out.get(), 1), dup2(err.get(), 2);
    return code;
  }
};

}  // namespace

TEST_CASE("options of every type land in their variables") {
  Everything every;
  CHECK(every.run({"-s", "--runs", "9", "--ratio=0.5", "--policy", "fifo", "--policy=ljf", "--time",
                   "2m", "one", "two", "--", "cmd", "--runs", "x"}) == 0);
  CHECK(every.ran);
  CHECK(every.strict);
  CHECK(every.runs == 9);
  CHECK(every.ratio == 0.5);
  CHECK(every.policies == std::vector<std::string>{"fifo", "ljf"});
  CHECK(every.time == std::chrono::minutes(2));
  CHECK(every.words == std::vector<std::string>{"one", "two"});
  CHECK(every.command == std::vector<std::string>{"cmd", "--runs", "x"});
}

TEST_CASE("an option takes one value, not the words after it") {
  Everything every;
  CHECK(every.run({"--policy=fifo", "one"}) == 0);
  CHECK(every.policies.size() == 1);
  CHECK(every.words == std::vector<std::string>{"one"});
}

TEST_CASE("what is wrong on a command line is a usage error, and nothing runs") {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--runs", "many"},
                                                {"--runs"},
                                                {"--goal", "speed"},
                                                {"--nope"},
                                                {"--time", "soon"},
                                                {"--format", "yaml"},
                                                {"--ratio", "1e"},
                                                {"list", "--runs", "x"}}) {
    Everything every;
    CAPTURE(words);
    CHECK(every.run(words) == 2);
    CHECK_FALSE(every.ran);
    CHECK_FALSE(every.sub_ran);
  }
}

TEST_CASE("a subcommand runs instead of the program, and its exit code counts") {
  Everything every;
  CHECK(every.run({"list", "--format", "json"}) == 1);
  CHECK(every.sub_ran);
  CHECK_FALSE(every.ran);
}

TEST_CASE("--describe tells what was declared, and a schema that takes no more") {
  const Everything every;
  const Json about = describe(Describer::state(every.program));
  CHECK(about["options"][0]["key"] == "strict");
  CHECK(about["options"][0]["type"] == "boolean");
  CHECK(about["input_schema"]["additionalProperties"] == false);
  const Json& properties = about["input_schema"]["properties"];
  CHECK(properties["runs"]["type"] == "integer");
  CHECK(properties["goal"]["enum"] == Json::array({"makespan", "latency"}));
  CHECK(properties["policy"]["type"] == "array");
  CHECK(properties["words"]["type"] == "array");
  CHECK(properties["command"]["type"] == "array");
  CHECK(about["subcommands"][0]["name"] == "list");
  CHECK(about["exit_codes"].size() == 7);
}

TEST_CASE("generated completions quote what a shell would take for its own") {
  const Everything every;
  const CommandState& state = Describer::state(every.program);
  CHECK(shell_quote("it's") == "'it'\\''s'");
  CHECK(fish_quote("it's \\") == "'it\\'s \\\\'");
  CHECK(generate(state, "fish").find("-d 'List it: \\'all\\' [of it].'") != std::string::npos);
  CHECK(generate(state, "bash").find("'makespan latency'") != std::string::npos);
  CHECK(generate(state, "zsh").find("--goal=[What for.]:GOAL:(makespan latency)") !=
        std::string::npos);
  CHECK_THROWS_AS(generate(state, "csh"), Error);
}

TEST_CASE("a generated man page has its parts, each after its mark") {
  const Everything every;
  const std::string text = generate(Describer::state(every.program), "mdoc");
  size_t at = 0;
  for (const char* part : {"NAME", "SYNOPSIS", "OPTIONS", "INPUT", "OUTPUT", "EXIT", "EXAMPLES"}) {
    at = text.find(std::string(".\\\" @") + part + "@\n", at);
    CAPTURE(part);
    REQUIRE(at != std::string::npos);
  }
  CHECK(text.find(".It Fl s , Fl -strict\nBe strict.\n") != std::string::npos);
  CHECK(text.find(".Op Fl -policy Ar POLICY ...\n") != std::string::npos);
}

TEST_CASE("value names say what to complete") {
  CHECK(kind_of_value("STAGE", {"build"}) == ValueKind::choices);
  CHECK(kind_of_value("FILE", {}) == ValueKind::file);
  CHECK(kind_of_value("DIR", {}) == ValueKind::directory);
  CHECK(kind_of_value("POLICY", {}) == ValueKind::policy);
  CHECK(kind_of_value("PID", {}) == ValueKind::pid);
  CHECK(kind_of_value("PROFILE", {}) == ValueKind::other);
}

TEST_CASE("tables align numbers right and words left, colours not counted") {
  Table table({"name", "n"});
  table.row({"a", "1.5"});
  table.row({"long one", "12"});
  CHECK(table.str() == "name        n\na         1.5\nlong one   12\n");
  CHECK(width_of("\033[31mred\033[0m") == 3);
  CHECK(width_of("é") == 1);
  CHECK(bar(1, 2, 4) == "██");
  CHECK(bar(0, 2, 4) == "");
}
