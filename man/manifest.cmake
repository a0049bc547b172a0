# Fill @MANIFEST@ of TEMPLATE with the members that PROGRAM knows of a policy's manifest.
execute_process(COMMAND ${PROGRAM} --generate manifest OUTPUT_VARIABLE members COMMAND_ERROR_IS_FATAL ANY)
file(READ ${TEMPLATE} text)
string(REPLACE "@MANIFEST@\n" "${members}" text "${text}")
file(WRITE ${PAGE} "${text}")
