// The help page: the shell around plain text.

import { mountShell } from "./shell.js";

mountShell("/help");
