// SPDX-License-Identifier: MIT
// schedcp-doctor: looks at everything schedcp needs and prints one diagnosis. Exit status 1 if the
// main job (profile, search, verify, bench in a guest) cannot run here. Changes nothing.
#include "cli/program.h"
#include "doctor.h"

using namespace schedcp;

int main(int argc, char** argv) {
  Program program{"schedcp-doctor",
                  "Say what this machine can do and, for what it cannot, why and the cure."};
  program.writes<Diagnosis>();
  program.example("schedcp-doctor", "Look at everything.");
  program.hints({.read_only = true, .idempotent = true, .timeout_s = 60});
  program.exit_meaning(1, "The main job (profile, search, verify, bench in a guest) cannot run.");

  return program.run(argc, argv, [&] {
    const Diagnosis diagnosis = [] {
      const Progress progress{"looking at this machine"};
      return diagnose();
    }();
    program.emit(diagnosis, [&] { return diagnosis_text(diagnosis, program.colour()); });
    return diagnosis.ready ? ExitCode::done : ExitCode::no;
  });
}
