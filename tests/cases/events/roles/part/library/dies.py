#!/usr/bin/python3
raise OSError(28, 'No space left on device')
