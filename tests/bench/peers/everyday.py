"""The thirteen operations of 15-phases.py as a deploy of pyinfra; EVERYDAY names the phase."""
import os

from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.facts.hardware import Cpus, Memory, NetworkDevices
from pyinfra.facts.server import Hostname, Kernel, LinuxDistribution, Users
from pyinfra.operations import apt, files, server, systemd

folder = '/srv/everyday-' + os.environ['EVERYDAY']
for fact in (Kernel, LinuxDistribution, Cpus, Memory, NetworkDevices):
    host.get_fact(fact)
server.group(name='Group', group='everyday')
server.user(name='User', user='everyday', group='everyday')
files.directory(name='Folder', path=folder, mode='755')
files.put(name='File', src=os.path.join(os.getcwd(), 'written-by-' + os.environ['EVERYDAY']), dest=folder + '/file', mode='644')
files.template(name='Template', src=os.path.join(os.getcwd(), 'playbooks/everyday/templates/peer.j2'), dest=folder + '/template', mode='644',
               hostname=host.get_fact(Hostname))
files.line(name='Line', path=folder + '/lines', line='one')
files.block(name='Block', path=folder + '/lines', content='more', marker='# {mark} ANSIBLE MANAGED BLOCK', begin='BEGIN', end='END')
apt.packages(name='Package', packages=['bash'])
systemd.service(name='Service', service='ssh', running=True, enabled=True)
server.shell(name='Command', commands=['true'])
host.get_fact(File, path=folder + '/file')
host.get_fact(Users)
