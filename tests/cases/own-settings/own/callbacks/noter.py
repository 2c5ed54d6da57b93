import os
from ansible.plugins.callback import CallbackBase
DOCUMENTATION = '''
name: noter
type: aggregate
short_description: notes
description: [notes]
'''
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'noter'
    CALLBACK_NEEDS_ENABLED = True
    def v2_runner_on_ok(self, result):
        with open('noted', 'a') as file:
            file.write('ok\n')
