// The page that verifies the people in a video call.

import { mountShell } from "./shell.js";

mountShell("/call");
