// The page that analyses a file.

import { $ } from "./dom.js";
import { mountShell } from "./shell.js";
import { wireUpload } from "./upload.js";

const shell = mountShell("/file");
wireUpload($, shell.tell);
