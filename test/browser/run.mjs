// Runs the browser tests. Usage: node run.mjs [PART OF A NAME]
// TRING_BIN, CHROMIUM, FIREFOX and JANUS_DEMOS name other programs and folders than the usual ones.

import { runAll } from './lib/harness.mjs';
import './tests/calls.mjs';
import './tests/access.mjs';
import './tests/paths.mjs';
import './tests/recording.mjs';
import './tests/firefox.mjs';
import './tests/robustness.mjs';
import './tests/data.mjs';
import './tests/demos.mjs';
import './tests/layers.mjs';
import './tests/rooms.mjs';
import './tests/congestion.mjs';
import './tests/ops.mjs';
import './tests/relay.mjs';
import './tests/diag.mjs';
import '../interop/tests/janode.mjs';

process.exitCode = (await runAll(process.argv[2])) ? 0 : 1;
