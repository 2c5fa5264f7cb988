#!/usr/bin/env node
import '../dist/weft.js';
