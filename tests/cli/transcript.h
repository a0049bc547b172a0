// SPDX-License-Identifier: MIT
// Transcripts: what a program prints and returns for what it is given, in files anyone can add to.
//
//   # a comment
//   NAME    a candidate without a policy is a bad document
//   FILE    p.bpf.c                       a file in the case's directory; its content follows
//           int x;
//   ENV     KEY=VALUE
//   STDIN   {"schema":"schedcp.candidate/1"}
//   RUN     schedcp-verify
//   STDERR  schedcp-verify: /policy: missing (string)
//   EXIT    2
//
// A keyword stands at the start of a line, its text from column 8 on; lines that start with eight
// spaces (or a tab) go on with it. Each case has a directory of its own, which is also its HOME and
// holds its state; PATH starts with the built programs. RUN splits words as a shell does and needs
// none, unless there is a pipe, a redirection or a `$` in it. Several RUNs of a case follow each
// other in the same directory, each with its own STDIN, STDOUT, STDERR, JSON and EXIT.
//
// STDOUT and STDERR are compared in full, `...` in a line standing for any text, alone in a line
// for any lines; $DIR for the case's directory, $SOURCE for the source tree, $BUILD for the build
// tree. JSON /pointer VALUE looks into the last document on stdout. Not given, STDOUT and STDERR
// are not looked at, but a program that cannot (exit 2 to 5) must leave stdout empty. The error's
// line for programs on stderr need not be written down: it is checked against the one for people.
// EXIT is 0 if not given. Without STDIN a program gets /dev/null; with an empty one, an empty pipe.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"

namespace schedcp {

struct Step {
  int line = 0;  ///< of RUN
  std::string command;
  std::optional<std::string> input, out, err;
  std::vector<std::pair<std::string, std::string>> json;  ///< pointer, value
  int exit = 0;
};

struct Transcript {
  std::string name;
  fs::path file;
  int line = 0;
  std::vector<std::pair<std::string, std::string>> files;
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<Step> steps;
};

/// The cases of a .test file. Throws usage_error naming file and line.
std::vector<Transcript> read_transcripts(const fs::path& file);

/// Whether `text` is what `pattern` says, `...` being a wildcard.
bool matches(const std::string& pattern, const std::string& text);

/// Words of a command line, with '...', "..." and \x as in a shell; nothing if it needs one.
std::optional<std::vector<std::string>> shell_words(const std::string& line);

/// Run a case; what went otherwise than written, "" for nothing.
std::string play(const Transcript& transcript);

}  // namespace schedcp
