-- A store of version 4, as it was recorded: a create with a lost host, a run that failed, a destroy, a cycle of two rounds.
PRAGMA application_id = 1953655152;
PRAGMA user_version = 4;
PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE event (
  number INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, step INTEGER,
  at_ns INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT,
  host TEXT, task TEXT, cause TEXT, cause_source TEXT, message TEXT, ignored INTEGER, transport TEXT
) STRICT;
INSERT INTO "event" VALUES(1,1,4,1795973391919241133,'unreachable',NULL,'box','Lose the host the first time','reset','master-log','the host closed the connection',0,'direct');
INSERT INTO "event" VALUES(2,1,4,1795973392019193868,'retry','{"phase":"converge","next_attempt":2,"because":"unreachable"}',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "event" VALUES(3,4,4,1795973437549837613,'unreachable',NULL,'box','Lose the host the first time','reset','master-log','the host closed the connection',0,'direct');
INSERT INTO "event" VALUES(4,4,4,1795973437669157914,'retry','{"phase":"converge","next_attempt":2,"because":"unreachable"}',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "event" VALUES(5,5,NULL,1795973449304626653,'leftovers','{"count":0,"left":[]}',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "event" VALUES(6,6,4,1795973496540337341,'unreachable',NULL,'box','Lose the host the first time','reset','master-log','the host closed the connection',0,'direct');
INSERT INTO "event" VALUES(7,6,4,1795973496689648700,'retry','{"phase":"converge","next_attempt":2,"because":"unreachable"}',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "event" VALUES(8,7,NULL,1795973520932132068,'leftovers','{"count":0,"left":[]}',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE machine (
  id TEXT PRIMARY KEY, project TEXT, target TEXT NOT NULL, provider TEXT NOT NULL,
  reference TEXT, address TEXT, port INTEGER,
  made_ns INTEGER NOT NULL, removed_ns INTEGER NOT NULL, record TEXT NOT NULL
, number INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "machine" VALUES('01a2285a-d70a-7504-98d0-9483b7fb9df3','recorded','box','sandbox','tp83b7fb9df3','10.213.40.214',22,1795973371906212151,1795973422482515543,'{"id":"01a2285a-d70a-7504-98d0-9483b7fb9df3","project":"recorded","target":"box","provider":"sandbox","reference":"tp83b7fb9df3","address":"10.213.40.214","user":"root","key":".triphase/machines/01a2285a-d70a-7504-98d0-9483b7fb9df3/key","jump":null,"python":"/usr/bin/python3","root":"debian-12","directory":".triphase/machines/01a2285a-d70a-7504-98d0-9483b7fb9df3","port":22,"host_keys":["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE0yQ3jJmyd6hWKxFF85C/zuF1WAWswWmrKUK4qlKZLS"],"ssh_options":[],"said":{},"resources":{"name":"tp83b7fb9df3","folder":"/var/lib/triphase","scope":"01a2285a-d70a-7504-98d0-9483b7fb9df3","host_address":"10.213.40.213","root":"/var/cache/triphase/debian-12-dda4b2790da4"},"made_ns":1795973371906212151,"removed_ns":1795973422482515543}',1);
INSERT INTO "machine" VALUES('01a2285b-9e15-7ae2-99d7-55080f7018db','recorded','box','sandbox','tp080f7018db','10.213.73.94',22,1795973422733539056,1795973449220743922,'{"id":"01a2285b-9e15-7ae2-99d7-55080f7018db","project":"recorded","target":"box","provider":"sandbox","reference":"tp080f7018db","address":"10.213.73.94","user":"root","key":".triphase/machines/01a2285b-9e15-7ae2-99d7-55080f7018db/key","jump":null,"python":"/usr/bin/python3","root":"debian-12","directory":".triphase/machines/01a2285b-9e15-7ae2-99d7-55080f7018db","port":22,"host_keys":["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOhhD+SoiptMlA++zV+W/TBBxkUKQUrmjF/MXQ9uSxNf"],"ssh_options":[],"said":{},"resources":{"name":"tp080f7018db","folder":"/var/lib/triphase","scope":"01a2285b-9e15-7ae2-99d7-55080f7018db","host_address":"10.213.73.93","root":"/var/cache/triphase/debian-12-dda4b2790da4"},"made_ns":1795973422733539056,"removed_ns":1795973449220743922}',2);
INSERT INTO "machine" VALUES('01a2285c-06c2-77e0-b387-bd6120652af1','recorded','box','sandbox','tp6120652af1','10.213.131.158',22,1795973449541349062,1795973520167430932,'{"id":"01a2285c-06c2-77e0-b387-bd6120652af1","project":"recorded","target":"box","provider":"sandbox","reference":"tp6120652af1","address":"10.213.131.158","user":"root","key":".triphase/machines/01a2285c-06c2-77e0-b387-bd6120652af1/key","jump":null,"python":"/usr/bin/python3","root":"debian-12","directory":".triphase/machines/01a2285c-06c2-77e0-b387-bd6120652af1","port":22,"host_keys":["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFnDldSYEn268x3Zs1M1qoXzDlAa6kbg4uV96lzPdZbM"],"ssh_options":[],"said":{},"resources":{"name":"tp6120652af1","folder":"/var/lib/triphase","scope":"01a2285c-06c2-77e0-b387-bd6120652af1","host_address":"10.213.131.157","root":"/var/cache/triphase/debian-12-dda4b2790da4"},"made_ns":1795973449541349062,"removed_ns":1795973520167430932}',3);
CREATE TABLE name (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO "name" VALUES(1,'box');
INSERT INTO "name" VALUES(2,'recipe_work');
INSERT INTO "name" VALUES(3,'Gathering Facts');
INSERT INTO "name" VALUES(4,'/p/playbooks/install.yml:1');
INSERT INTO "name" VALUES(5,'ansible.builtin.gather_facts');
INSERT INTO "name" VALUES(6,'Write a note');
INSERT INTO "name" VALUES(7,'/p/playbooks/install.yml:3');
INSERT INTO "name" VALUES(8,'ansible.builtin.copy');
INSERT INTO "name" VALUES(9,'Loop over three words');
INSERT INTO "name" VALUES(10,'/p/playbooks/install.yml:8');
INSERT INTO "name" VALUES(11,'ansible.builtin.command');
INSERT INTO "name" VALUES(12,'Fail and go on');
INSERT INTO "name" VALUES(13,'/p/playbooks/install.yml:12');
INSERT INTO "name" VALUES(14,'Break');
INSERT INTO "name" VALUES(15,'/p/playbooks/install.yml:17');
INSERT INTO "name" VALUES(16,'ansible.builtin.fail');
INSERT INTO "name" VALUES(17,'Mend');
INSERT INTO "name" VALUES(18,'/p/playbooks/install.yml:21');
INSERT INTO "name" VALUES(19,'ansible.builtin.debug');
INSERT INTO "name" VALUES(20,'Tell');
INSERT INTO "name" VALUES(21,'/p/playbooks/install.yml:25');
INSERT INTO "name" VALUES(22,'Skip');
INSERT INTO "name" VALUES(23,'/p/playbooks/install.yml:28');
INSERT INTO "name" VALUES(24,'/p/playbooks/converge.yml:1');
INSERT INTO "name" VALUES(25,'Lose the host the first time');
INSERT INTO "name" VALUES(26,'/p/playbooks/converge.yml:3');
INSERT INTO "name" VALUES(27,'ansible.builtin.shell');
INSERT INTO "name" VALUES(28,'Notify');
INSERT INTO "name" VALUES(29,'/p/playbooks/converge.yml:6');
INSERT INTO "name" VALUES(30,'Fail where it is said');
INSERT INTO "name" VALUES(31,'/p/playbooks/converge.yml:10');
INSERT INTO "name" VALUES(32,'A handler');
INSERT INTO "name" VALUES(33,'/p/playbooks/converge.yml:15');
CREATE TABLE run (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL, target TEXT NOT NULL, recipe TEXT, provider TEXT, project TEXT,
  group_id TEXT, parent_id TEXT, machine_id TEXT, ansible TEXT,
  partial INTEGER NOT NULL, fresh INTEGER NOT NULL, extra_digest TEXT, plan TEXT,
  pid INTEGER, pid_start INTEGER, boot_id TEXT, node TEXT,
  started_ns INTEGER NOT NULL, duration_ns INTEGER, outcome TEXT, exit_code INTEGER, message TEXT
, merged INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "run" VALUES(1,'01a2285a-d6e3-72f3-9223-799fdb130873','create','box','work','sandbox','recorded',NULL,NULL,'01a2285a-d70a-7504-98d0-9483b7fb9df3','2.19.14',0,1,NULL,'{"does":"create","phases":["install","converge"],"asked":[],"arguments":[],"check_idempotent":false,"keep_state":false,"no_teardown":false,"settings":{"recipe":"work","python":null,"host_name":"box","groups":"","peers":"","vars":"a8100ae6aa1940d0b663bb31cd466142"},"transports":"direct","done":{"install":{"files":{"playbooks/install.yml":"c59f1fe7e4b936f40aba24162ff58635"},"roots":["ansible.cfg","playbooks/group_vars","playbooks/host_vars","playbooks/install.yml"],"written":[],"written_by_others":[],"guessed":{},"entry":{"playbook":"playbooks/install.yml","transport":"","args":"6e340b9cffb37a989ca544e6bb780a2c","vars":"a8100ae6aa1940d0b663bb31cd466142"}},"converge":{"files":{"playbooks/converge.yml":"b1a18efaf904d61d6f9aef630bb7089c"},"roots":["ansible.cfg","playbooks/converge.yml","playbooks/group_vars","playbooks/host_vars"],"written":[],"written_by_others":[],"guessed":{},"entry":{"playbook":"playbooks/converge.yml","transport":"","args":"6e340b9cffb37a989ca544e6bb780a2c","vars":"a8100ae6aa1940d0b663bb31cd466142"}}}}',21674,718952,'7e9fd766-fb33-4fb6-8d44-40c68b809ad6','here',1795973371637911667,37493508869,'ok',0,NULL,0);
INSERT INTO "run" VALUES(2,'01a2285b-7187-7af3-bf51-bf092d62f126','run','box','work','sandbox','recorded',NULL,NULL,'01a2285a-d70a-7504-98d0-9483b7fb9df3','2.19.14',1,0,'3c4a6daaa6f1ee21423e50b626e2552dbcfb30dbc3d96c1ca3e586db9cecefd0','{"does":"run","phases":["converge"],"asked":["converge"],"arguments":[],"check_idempotent":false,"keep_state":false,"no_teardown":false,"settings":{"recipe":"work","python":null,"host_name":"box","groups":"","peers":"","vars":"a8100ae6aa1940d0b663bb31cd466142"},"transports":"direct","done":{}}',26329,722911,'7e9fd766-fb33-4fb6-8d44-40c68b809ad6','here',1795973411224126431,5625728806,'failed',2,'task ''Fail where it is said'' failed on box at /p/playbooks/converge.yml:10: no such thing ä€, "quoted"',0);
INSERT INTO "run" VALUES(3,'01a2285b-9adb-7157-9351-bd945264d11a','destroy','box','work','sandbox','recorded',NULL,NULL,'01a2285a-d70a-7504-98d0-9483b7fb9df3',NULL,0,0,NULL,'{"does":"destroy","phases":[],"asked":[],"arguments":[],"check_idempotent":false,"keep_state":false,"no_teardown":false,"settings":{"recipe":"work","python":null,"host_name":"box","groups":"","peers":"","vars":"a8100ae6aa1940d0b663bb31cd466142"},"transports":"direct","done":{}}',27415,723969,'7e9fd766-fb33-4fb6-8d44-40c68b809ad6','here',1795973421798452395,689861094,'ok',0,NULL,0);
INSERT INTO "run" VALUES(4,'01a2285b-9df1-727f-bc19-f4f6e6405c39','create','box','work','sandbox','recorded','01a2285b-9db5-7f50-bf10-b2ac23e213d5',NULL,'01a2285b-9e15-7ae2-99d7-55080f7018db','2.19.14',0,1,NULL,'{"does":"create","phases":["install","converge"],"asked":[],"arguments":[],"check_idempotent":false,"keep_state":false,"no_teardown":false,"settings":{"recipe":"work","python":null,"host_name":"box","groups":"","peers":"","vars":"a8100ae6aa1940d0b663bb31cd466142"},"transports":"direct","done":{"install":{"files":{"playbooks/install.yml":"c59f1fe7e4b936f40aba24162ff58635"},"roots":["ansible.cfg","playbooks/group_vars","playbooks/host_vars","playbooks/install.yml"],"written":[],"written_by_others":[],"guessed":{},"entry":{"playbook":"playbooks/install.yml","transport":"","args":"6e340b9cffb37a989ca544e6bb780a2c","vars":"a8100ae6aa1940d0b663bb31cd466142"}},"converge":{"files":{"playbooks/converge.yml":"b1a18efaf904d61d6f9aef630bb7089c"},"roots":["ansible.cfg","playbooks/converge.yml","playbooks/group_vars","playbooks/host_vars"],"written":[],"written_by_others":[],"guessed":{},"entry":{"playbook":"playbooks/converge.yml","transport":"","args":"6e340b9cffb37a989ca544e6bb780a2c","vars":"a8100ae6aa1940d0b663bb31cd466142"}}}}',27474,724048,'7e9fd766-fb33-4fb6-8d44-40c68b809ad6','here',1795973422596723629,25925573984,'ok',0,NULL,0);
INSERT INTO "run" VALUES(5,'01a2285c-03b4-7798-87e6-1184d09a855a','destroy','box','work','sandbox','recorded','01a2285b-9db5-7f50-bf10-b2ac23e213d5',NULL,'01a2285b-9e15-7ae2-99d7-55080f7018db',NULL,0,0,NULL,'{"does":"destroy","phases":[],"asked":[],"arguments":[],"check_idempotent":false,"keep_state":false,"no_teardown":false,"settings":{"recipe":"work","python":null,"host_name":"box","groups":"","peers":"","vars":"a8100ae6aa1940d0b663bb31cd466142"},"transports":"direct","done":{}}',28928,726654,'7e9fd766-fb33-4fb6-8d44-40c68b809ad6','here',1795973448658337082,571235319,'ok',0,NULL,0);
INSERT INTO "run" VALUES(6,'01a2285c-06a6-7350-9191-c2f51c488e36','create','box','work','sandbox','recorded','01a2285b-9db5-7f50-bf10-b2ac23e213d5',NULL,'01a2285c-06c2-77e0-b387-bd6120652af1','2.19.14',0,1,NULL,'{"does":"create","phases":["install","converge"],"asked":[],"arguments":[],"check_idempotent":false,"keep_state":false,"no_teardown":false,"settings":{"recipe":"work","python":null,"host_name":"box","groups":"","peers":"","vars":"a8100ae6aa1940d0b663bb31cd466142"},"transports":"direct","done":{"install":{"files":{"playbooks/install.yml":"c59f1fe7e4b936f40aba24162ff58635"},"roots":["ansible.cfg","playbooks/group_vars","playbooks/host_vars","playbooks/install.yml"],"written":[],"written_by_others":[],"guessed":{},"entry":{"playbook":"playbooks/install.yml","transport":"","args":"6e340b9cffb37a989ca544e6bb780a2c","vars":"a8100ae6aa1940d0b663bb31cd466142"}},"converge":{"files":{"playbooks/converge.yml":"b1a18efaf904d61d6f9aef630bb7089c"},"roots":["ansible.cfg","playbooks/converge.yml","playbooks/group_vars","playbooks/host_vars"],"written":[],"written_by_others":[],"guessed":{},"entry":{"playbook":"playbooks/converge.yml","transport":"","args":"6e340b9cffb37a989ca544e6bb780a2c","vars":"a8100ae6aa1940d0b663bb31cd466142"}}}}',28972,726729,'7e9fd766-fb33-4fb6-8d44-40c68b809ad6','here',1795973449394895447,67641212282,'ok',0,NULL,0);
INSERT INTO "run" VALUES(7,'01a2285d-149a-7fde-b0ab-b8a54b05c9d6','destroy','box','work','sandbox','recorded','01a2285b-9db5-7f50-bf10-b2ac23e213d5',NULL,'01a2285c-06c2-77e0-b387-bd6120652af1',NULL,0,0,NULL,'{"does":"destroy","phases":[],"asked":[],"arguments":[],"check_idempotent":false,"keep_state":false,"no_teardown":false,"settings":{"recipe":"work","python":null,"host_name":"box","groups":"","peers":"","vars":"a8100ae6aa1940d0b663bb31cd466142"},"transports":"direct","done":{}}',1200,733646,'7e9fd766-fb33-4fb6-8d44-40c68b809ad6','here',1795973518570631356,1771984003,'ok',0,NULL,0);
CREATE TABLE sample (
  run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, kind TEXT NOT NULL, at_ns INTEGER NOT NULL,
  healthy INTEGER CHECK (healthy IN (0, 1)), value REAL, detail TEXT,
  PRIMARY KEY (run, kind, at_ns)
) STRICT, WITHOUT ROWID;
CREATE TABLE step (
  number INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, seq INTEGER NOT NULL,
  kind TEXT NOT NULL, name TEXT NOT NULL, attempt INTEGER NOT NULL,
  transport TEXT, evidence TEXT, scope TEXT, log TEXT, events TEXT,
  started_ns INTEGER NOT NULL, started_monotonic_ns INTEGER NOT NULL, deadline_ns INTEGER NOT NULL,
  duration_ns INTEGER, outcome TEXT, cause TEXT, message TEXT, exit_code INTEGER, signal INTEGER,
  ok INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0, unreachable INTEGER NOT NULL DEFAULT 0,
  ignored INTEGER NOT NULL DEFAULT 0, rescued INTEGER NOT NULL DEFAULT 0,
  cpu_usec INTEGER, survivors_here INTEGER, survivors_host INTEGER, host_evidence TEXT,
  event_bytes INTEGER NOT NULL DEFAULT 0, handlers_owed TEXT,
  UNIQUE (run, seq)
) STRICT;
INSERT INTO "step" VALUES(1,1,1,'stage','provision',1,NULL,NULL,'cgroup','runs/01a2285a-d6e3-72f3-9223-799fdb130873/01-provision.1.log',NULL,1795973371666469932,7189565435848,1205000000000,2193597042,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,235216,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(2,1,2,'stage','transport',1,NULL,NULL,'cgroup','runs/01a2285a-d6e3-72f3-9223-799fdb130873/02-transport.1.log',NULL,1795973373870631116,7191769597011,65000000000,311061006,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,19684,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(3,1,3,'phase','install',1,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.40.214","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":52.770962},{"rung":"banner","ms":0.000106,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":3.4e-5},{"rung":"host-key","ms":3.4e-5,"saw":"ssh-ed25519 SHA256:mR8m6nwGY38FxHivHBpbJ88UUAKt6vOvzbDd9uxMh1Y"},{"rung":"auth","ms":57.482842},{"rung":"channel","ms":170.517872,"saw":"the host printed what it was asked"},{"rung":"output","ms":4.954578,"saw":"16384 bytes"}],"attempts":1,"ms":290.944376,"python":"/usr/bin/python3","session":"107","boot":"e4a27ce1-0006-4635-8371-cdf72f54afe6.718987","host_ticks":719198,"at_ns":7192074471722,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285a-d6e3-72f3-9223-799fdb130873/03-install.1.log','runs/01a2285a-d6e3-72f3-9223-799fdb130873/03-install.1.events.ndjson',1795973374249368726,7192148334634,300000000000,13678066872,'ok',NULL,NULL,0,NULL,3,2,0,1,0,1,1,1587112,0,NULL,'nobody looked: the phase came to its own end',7052,NULL);
INSERT INTO "step" VALUES(4,1,4,'phase','converge',1,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.40.214","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":52.770962},{"rung":"banner","ms":0.000106,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":3.4e-5},{"rung":"host-key","ms":3.4e-5,"saw":"ssh-ed25519 SHA256:mR8m6nwGY38FxHivHBpbJ88UUAKt6vOvzbDd9uxMh1Y"},{"rung":"auth","ms":57.482842},{"rung":"channel","ms":170.517872,"saw":"the host printed what it was asked"},{"rung":"output","ms":4.954578,"saw":"16384 bytes"}],"attempts":1,"ms":290.944376,"python":"/usr/bin/python3","session":"107","boot":"e4a27ce1-0006-4635-8371-cdf72f54afe6.718987","host_ticks":719198,"at_ns":7192074471722,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285a-d6e3-72f3-9223-799fdb130873/04-converge.1.log','runs/01a2285a-d6e3-72f3-9223-799fdb130873/04-converge.1.events.ndjson',1795973388017305558,7205916271454,300000000000,3983894423,'unreachable',NULL,'box was UNREACHABLE in task ''Lose the host the first time'': Task failed: Data could not be sent to remote host "10.213.40.214". Make sure this host can be reached over ssh:',4,NULL,1,0,0,0,1,0,0,698743,0,0,'looked at environment, argv and logind session; 4 found, 4 ended',2282,NULL);
INSERT INTO "step" VALUES(5,1,5,'stage','sweep',1,'direct',NULL,'cgroup','runs/01a2285a-d6e3-72f3-9223-799fdb130873/05-sweep.1.log',NULL,1795973392033234553,7209932201299,35000000000,758760080,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,23496,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(6,1,6,'stage','transport',2,NULL,NULL,'cgroup','runs/01a2285a-d6e3-72f3-9223-799fdb130873/06-transport.2.log',NULL,1795973394921792171,7212820758102,65000000000,763595736,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,25609,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(7,1,7,'phase','converge',2,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.40.214","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":54.675655},{"rung":"banner","ms":0.000191,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":104.005183},{"rung":"host-key","ms":0.000148,"saw":"ssh-ed25519 SHA256:mR8m6nwGY38FxHivHBpbJ88UUAKt6vOvzbDd9uxMh1Y"},{"rung":"auth","ms":61.013394},{"rung":"channel","ms":504.804318,"saw":"the host printed what it was asked"},{"rung":"output","ms":1.184128,"saw":"16384 bytes"}],"attempts":1,"ms":742.497017,"python":"/usr/bin/python3","session":"109","boot":"e4a27ce1-0006-4635-8371-cdf72f54afe6.718987","host_ticks":721323,"at_ns":7213582022150,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285a-d6e3-72f3-9223-799fdb130873/07-converge.2.log','runs/01a2285a-d6e3-72f3-9223-799fdb130873/07-converge.2.events.ndjson',1795973395761315857,7213660281766,300000000000,13264174798,'ok',NULL,NULL,0,NULL,3,1,0,1,0,0,0,1203199,0,NULL,'nobody looked: the phase came to its own end',5161,NULL);
INSERT INTO "step" VALUES(8,2,1,'stage','transport',1,NULL,NULL,'cgroup','runs/01a2285b-7187-7af3-bf51-bf092d62f126/01-transport.1.log',NULL,1795973411291251171,7229190218438,65000000000,732962555,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,21084,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(9,2,2,'phase','converge',1,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.40.214","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":58.257043},{"rung":"banner","ms":7.9e-5,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":106.185985},{"rung":"host-key","ms":0.00012,"saw":"ssh-ed25519 SHA256:mR8m6nwGY38FxHivHBpbJ88UUAKt6vOvzbDd9uxMh1Y"},{"rung":"auth","ms":132.302433},{"rung":"channel","ms":337.952165,"saw":"the host printed what it was asked"},{"rung":"output","ms":1.027276,"saw":"16384 bytes"}],"attempts":1,"ms":657.081814,"python":"/usr/bin/python3","session":"110","boot":"e4a27ce1-0006-4635-8371-cdf72f54afe6.718987","host_ticks":722981,"at_ns":7229920753333,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285b-7187-7af3-bf51-bf092d62f126/02-converge.1.log','runs/01a2285b-7187-7af3-bf51-bf092d62f126/02-converge.1.events.ndjson',1795973412061261730,7229960227637,300000000000,4764139680,'failed',NULL,'task ''Fail where it is said'' failed on box at /p/playbooks/converge.yml:10: no such thing ä€, "quoted"',2,NULL,2,1,1,0,0,0,0,1132623,0,NULL,'nobody looked: the phase came to its own end',4147,'[{"host":"box","handler":"A handler"}]');
INSERT INTO "step" VALUES(10,3,1,'stage','destroy',1,NULL,NULL,'cgroup','runs/01a2285b-9adb-7157-9351-bd945264d11a/01-destroy.1.log',NULL,1795973421824566544,7239723532496,125000000000,658732725,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,291315,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(11,4,1,'stage','provision',1,NULL,NULL,'cgroup','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/01-provision.1.log',NULL,1795973422623292813,7240522258711,1205000000000,1038792788,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,190306,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(12,4,2,'stage','transport',1,NULL,NULL,'cgroup','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/02-transport.1.log',NULL,1795973423671514529,7241570480427,65000000000,264351041,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,19163,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(13,4,3,'phase','install',1,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.73.94","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":51.010314},{"rung":"banner","ms":6.8e-5,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":4.8e-5},{"rung":"host-key","ms":3.4e-5,"saw":"ssh-ed25519 SHA256:tfwXWpyHEhIsVoGctcp1HeZx9zLz9nymashJ/r4jR1M"},{"rung":"auth","ms":50.872423},{"rung":"channel","ms":115.062856,"saw":"the host printed what it was asked"},{"rung":"output","ms":0.995221,"saw":"16384 bytes"}],"attempts":1,"ms":234.517742,"python":"/usr/bin/python3","session":"116","boot":"c8a872f9-200f-4848-9b7b-46bc0226d75c.724064","host_ticks":724179,"at_ns":7241832949378,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/03-install.1.log','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/03-install.1.events.ndjson',1795973423953337305,7241852307332,300000000000,8412994757,'ok',NULL,NULL,0,NULL,3,2,0,1,0,1,1,1405596,0,NULL,'nobody looked: the phase came to its own end',7050,NULL);
INSERT INTO "step" VALUES(14,4,4,'phase','converge',1,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.73.94","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":51.010314},{"rung":"banner","ms":6.8e-5,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":4.8e-5},{"rung":"host-key","ms":3.4e-5,"saw":"ssh-ed25519 SHA256:tfwXWpyHEhIsVoGctcp1HeZx9zLz9nymashJ/r4jR1M"},{"rung":"auth","ms":50.872423},{"rung":"channel","ms":115.062856,"saw":"the host printed what it was asked"},{"rung":"output","ms":0.995221,"saw":"16384 bytes"}],"attempts":1,"ms":234.517742,"python":"/usr/bin/python3","session":"116","boot":"c8a872f9-200f-4848-9b7b-46bc0226d75c.724064","host_ticks":724179,"at_ns":7241832949378,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/04-converge.1.log','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/04-converge.1.events.ndjson',1795973432405077740,7250304043637,300000000000,5192290034,'unreachable',NULL,'box was UNREACHABLE in task ''Lose the host the first time'': Task failed: Data could not be sent to remote host "10.213.73.94". Make sure this host can be reached over ssh:',4,NULL,1,0,0,0,1,0,0,755399,0,0,'looked at environment, argv and logind session; 4 found, 4 ended',2281,NULL);
INSERT INTO "step" VALUES(15,4,5,'stage','sweep',1,'direct',NULL,'cgroup','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/05-sweep.1.log',NULL,1795973437693154971,7255592120868,35000000000,783102747,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,21129,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(16,4,6,'stage','transport',2,NULL,NULL,'cgroup','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/06-transport.2.log',NULL,1795973440531068417,7258430034311,65000000000,502296690,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,17958,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(17,4,7,'phase','converge',2,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.73.94","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":59.450706},{"rung":"banner","ms":9.1e-5,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":4.6e-5},{"rung":"host-key","ms":3.2e-5,"saw":"ssh-ed25519 SHA256:tfwXWpyHEhIsVoGctcp1HeZx9zLz9nymashJ/r4jR1M"},{"rung":"auth","ms":66.817787},{"rung":"channel","ms":348.865536,"saw":"the host printed what it was asked"},{"rung":"output","ms":1.062086,"saw":"16384 bytes"}],"attempts":1,"ms":482.634128,"python":"/usr/bin/python3","session":"120","boot":"c8a872f9-200f-4848-9b7b-46bc0226d75c.724064","host_ticks":725874,"at_ns":7258930086021,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/07-converge.2.log','runs/01a2285b-9df1-727f-bc19-f4f6e6405c39/07-converge.2.events.ndjson',1795973441113262360,7259012228264,300000000000,7346248727,'ok',NULL,NULL,0,NULL,3,1,0,1,0,0,0,977229,0,NULL,'nobody looked: the phase came to its own end',5160,NULL);
INSERT INTO "step" VALUES(18,5,1,'stage','destroy',1,NULL,NULL,'cgroup','runs/01a2285c-03b4-7798-87e6-1184d09a855a/01-destroy.1.log',NULL,1795973448691818836,7266590784760,125000000000,531693343,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,122025,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(19,6,1,'stage','provision',1,NULL,NULL,'cgroup','runs/01a2285c-06a6-7350-9191-c2f51c488e36/01-provision.1.log',NULL,1795973449418146136,7267317113407,1205000000000,1125047656,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,185404,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(20,6,2,'stage','transport',1,NULL,NULL,'cgroup','runs/01a2285c-06a6-7350-9191-c2f51c488e36/02-transport.1.log',NULL,1795973450562860632,7268461826554,65000000000,464650541,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,26058,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(21,6,3,'phase','install',1,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.131.158","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":52.339562},{"rung":"banner","ms":0.000147,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":54.567969},{"rung":"host-key","ms":0.000116,"saw":"ssh-ed25519 SHA256:Fn9cIZGo25YGWAHqLrumiNDJb6DYclkJB/NsDJTUVh0"},{"rung":"auth","ms":104.745376},{"rung":"channel","ms":207.487477,"saw":"the host printed what it was asked"},{"rung":"output","ms":0.930796,"saw":"16384 bytes"}],"attempts":1,"ms":436.585158,"python":"/usr/bin/python3","session":"123","boot":"91c12627-c57e-43a0-b0ae-548328e360f6.726745","host_ticks":726885,"at_ns":7268924458199,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285c-06a6-7350-9191-c2f51c488e36/03-install.1.log','runs/01a2285c-06a6-7350-9191-c2f51c488e36/03-install.1.events.ndjson',1795973451116749583,7269015715492,300000000000,28220123838,'ok',NULL,NULL,0,NULL,3,2,0,1,0,1,1,1858877,0,NULL,'nobody looked: the phase came to its own end',7054,NULL);
INSERT INTO "step" VALUES(22,6,4,'phase','converge',1,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.131.158","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":52.339562},{"rung":"banner","ms":0.000147,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":54.567969},{"rung":"host-key","ms":0.000116,"saw":"ssh-ed25519 SHA256:Fn9cIZGo25YGWAHqLrumiNDJb6DYclkJB/NsDJTUVh0"},{"rung":"auth","ms":104.745376},{"rung":"channel","ms":207.487477,"saw":"the host printed what it was asked"},{"rung":"output","ms":0.930796,"saw":"16384 bytes"}],"attempts":1,"ms":436.585158,"python":"/usr/bin/python3","session":"123","boot":"91c12627-c57e-43a0-b0ae-548328e360f6.726745","host_ticks":726885,"at_ns":7268924458199,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285c-06a6-7350-9191-c2f51c488e36/04-converge.1.log','runs/01a2285c-06a6-7350-9191-c2f51c488e36/04-converge.1.events.ndjson',1795973479380709744,7297279676655,300000000000,17272618256,'unreachable',NULL,'box was UNREACHABLE in task ''Lose the host the first time'': Task failed: Data could not be sent to remote host "10.213.131.158". Make sure this host can be reached over ssh:',4,NULL,1,0,0,0,1,0,0,984557,0,0,'looked at environment, argv and logind session; 4 found, 4 ended',2284,NULL);
INSERT INTO "step" VALUES(23,6,5,'stage','sweep',1,'direct',NULL,'cgroup','runs/01a2285c-06a6-7350-9191-c2f51c488e36/05-sweep.1.log',NULL,1795973496697182776,7314596148713,35000000000,1752698388,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,27475,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(24,6,6,'stage','transport',2,NULL,NULL,'cgroup','runs/01a2285c-06a6-7350-9191-c2f51c488e36/06-transport.2.log',NULL,1795973500481277402,7318380243320,65000000000,1014418340,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,21724,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
INSERT INTO "step" VALUES(25,6,7,'phase','converge',2,'direct','{"chosen":"direct","transports":[{"name":"direct","usable":true,"why":"plain SSH needs nothing of this machine"}],"tried":[{"transport":"direct","host":"10.213.131.158","port":22,"user":"root","proxy":null,"kept":false,"rungs":[{"rung":"tcp","ms":56.872301},{"rung":"banner","ms":0.00019,"saw":"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"},{"rung":"key-exchange","ms":188.008484},{"rung":"host-key","ms":7.8e-5,"saw":"ssh-ed25519 SHA256:Fn9cIZGo25YGWAHqLrumiNDJb6DYclkJB/NsDJTUVh0"},{"rung":"auth","ms":410.518803},{"rung":"channel","ms":230.250195,"saw":"the host printed what it was asked"},{"rung":"output","ms":0.852206,"saw":"16384 bytes"}],"attempts":1,"ms":985.120002,"python":"/usr/bin/python3","session":"128","boot":"91c12627-c57e-43a0-b0ae-548328e360f6.726745","host_ticks":731932,"at_ns":7319392963240,"name":"direct","rung":"done","cause":null}]}','cgroup','runs/01a2285c-06a6-7350-9191-c2f51c488e36/07-converge.2.log','runs/01a2285c-06a6-7350-9191-c2f51c488e36/07-converge.2.events.ndjson',1795973501645292762,7319544262534,300000000000,15018198242,'ok',NULL,NULL,0,NULL,3,1,0,1,0,0,0,1162681,0,NULL,'nobody looked: the phase came to its own end',5162,NULL);
INSERT INTO "step" VALUES(26,7,1,'stage','destroy',1,NULL,NULL,'cgroup','runs/01a2285d-149a-7fde-b0ab-b8a54b05c9d6/01-destroy.1.log',NULL,1795973518708455837,7336607421791,125000000000,1504928487,'ok',NULL,NULL,0,NULL,0,0,0,0,0,0,0,141694,0,NULL,'nobody looked: a stage runs nothing on the host',0,NULL);
CREATE TABLE task (
  step INTEGER NOT NULL REFERENCES step (number) ON DELETE CASCADE, seq INTEGER NOT NULL,
  host INTEGER, play INTEGER, role INTEGER, task INTEGER, path INTEGER, action INTEGER,
  status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4), flags INTEGER NOT NULL, items INTEGER NOT NULL,
  started_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, message TEXT,
  PRIMARY KEY (step, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "task" VALUES(3,1,1,2,NULL,3,4,5,0,0,0,1795973375101847609,3246876369,NULL);
INSERT INTO "task" VALUES(3,2,1,2,NULL,6,7,8,1,0,0,1795973378378840649,3016058746,NULL);
INSERT INTO "task" VALUES(3,3,1,2,NULL,9,10,11,1,0,3,1795973381400553117,4322031020,NULL);
INSERT INTO "task" VALUES(3,4,1,2,NULL,12,13,11,3,1,0,1795973385762078008,1612535362,'non-zero return code (rc 1)');
INSERT INTO "task" VALUES(3,5,1,2,NULL,14,15,16,3,2,0,1795973387394100143,53119016,'it broke, as it was to');
INSERT INTO "task" VALUES(3,6,1,2,NULL,17,18,19,0,0,0,1795973387456799029,151255297,NULL);
INSERT INTO "task" VALUES(3,7,1,2,NULL,20,21,19,0,0,0,1795973387671098609,94632677,NULL);
INSERT INTO "task" VALUES(3,8,1,2,NULL,22,23,19,2,0,0,1795973387793778094,65385172,NULL);
INSERT INTO "task" VALUES(4,1,1,2,NULL,3,24,5,0,0,0,1795973388587762968,2004465081,NULL);
INSERT INTO "task" VALUES(4,2,1,2,NULL,25,26,27,4,0,0,1795973390597957908,1321283225,'Task failed: Data could not be sent to remote host "10.213.40.214". Make sure this host can be reached over ssh:');
INSERT INTO "task" VALUES(7,1,1,2,NULL,3,24,5,0,0,0,1795973397226579949,7976716454,NULL);
INSERT INTO "task" VALUES(7,2,1,2,NULL,25,26,27,0,0,0,1795973405314410093,1984580037,NULL);
INSERT INTO "task" VALUES(7,3,1,2,NULL,28,29,11,1,0,0,1795973407303383306,1499037296,NULL);
INSERT INTO "task" VALUES(7,4,1,2,NULL,30,31,16,2,0,0,1795973408814276322,100061835,NULL);
INSERT INTO "task" VALUES(7,5,1,2,NULL,32,33,19,0,8,0,1795973408932567689,63612526,NULL);
INSERT INTO "task" VALUES(9,1,1,2,NULL,3,24,5,0,0,0,1795973413647861985,1769285180,NULL);
INSERT INTO "task" VALUES(9,2,1,2,NULL,25,26,27,0,0,0,1795973415421454217,586072716,NULL);
INSERT INTO "task" VALUES(9,3,1,2,NULL,28,29,11,1,0,0,1795973416011803862,759466658,NULL);
INSERT INTO "task" VALUES(9,4,1,2,NULL,30,31,16,3,0,0,1795973416775082353,38357736,'no such thing ä€, "quoted"');
INSERT INTO "task" VALUES(13,1,1,2,NULL,3,4,5,0,0,0,1795973424431880004,1690265617,NULL);
INSERT INTO "task" VALUES(13,2,1,2,NULL,6,7,8,1,0,0,1795973426132815316,2734264388,NULL);
INSERT INTO "task" VALUES(13,3,1,2,NULL,9,10,11,1,0,3,1795973428883314044,2678497008,NULL);
INSERT INTO "task" VALUES(13,4,1,2,NULL,12,13,11,3,1,0,1795973431572202297,620273392,'non-zero return code (rc 1)');
INSERT INTO "task" VALUES(13,5,1,2,NULL,14,15,16,3,2,0,1795973432196332265,47923013,'it broke, as it was to');
INSERT INTO "task" VALUES(13,6,1,2,NULL,17,18,19,0,0,0,1795973432250526193,28255000,NULL);
INSERT INTO "task" VALUES(13,7,1,2,NULL,20,21,19,0,0,0,1795973432285982714,35751333,NULL);
INSERT INTO "task" VALUES(13,8,1,2,NULL,22,23,19,2,0,0,1795973432326711596,10716798,NULL);
INSERT INTO "task" VALUES(14,1,1,2,NULL,3,24,5,0,0,0,1795973432920946508,2401057627,NULL);
INSERT INTO "task" VALUES(14,2,1,2,NULL,25,26,27,4,0,0,1795973435341790447,2208047166,'Task failed: Data could not be sent to remote host "10.213.73.94". Make sure this host can be reached over ssh:');
INSERT INTO "task" VALUES(17,1,1,2,NULL,3,24,5,0,0,0,1795973441834594584,3064198551,NULL);
INSERT INTO "task" VALUES(17,2,1,2,NULL,25,26,27,0,0,0,1795973444906077812,1929184464,NULL);
INSERT INTO "task" VALUES(17,3,1,2,NULL,28,29,11,1,0,0,1795973446846273843,1435631233,NULL);
INSERT INTO "task" VALUES(17,4,1,2,NULL,30,31,16,2,0,0,1795973448294075704,61055052,NULL);
INSERT INTO "task" VALUES(17,5,1,2,NULL,32,33,19,0,8,0,1795973448377568802,61637566,NULL);
INSERT INTO "task" VALUES(21,1,1,2,NULL,3,4,5,0,0,0,1795973452035178215,4930848675,NULL);
INSERT INTO "task" VALUES(21,2,1,2,NULL,6,7,8,1,0,0,1795973456973732706,5871477701,NULL);
INSERT INTO "task" VALUES(21,3,1,2,NULL,9,10,11,1,0,3,1795973462921043851,11882389877,NULL);
INSERT INTO "task" VALUES(21,4,1,2,NULL,12,13,11,3,1,0,1795973474832670617,3632704259,'non-zero return code (rc 1)');
INSERT INTO "task" VALUES(21,5,1,2,NULL,14,15,16,3,2,0,1795973478489908251,272244424,'it broke, as it was to');
INSERT INTO "task" VALUES(21,6,1,2,NULL,17,18,19,0,0,0,1795973478906098921,261621060,NULL);
INSERT INTO "task" VALUES(21,7,1,2,NULL,20,21,19,0,0,0,1795973479189725063,56287466,NULL);
INSERT INTO "task" VALUES(21,8,1,2,NULL,22,23,19,2,0,0,1795973479257869943,49801963,NULL);
INSERT INTO "task" VALUES(22,1,1,2,NULL,3,24,5,0,0,0,1795973482450214811,10047607239,NULL);
INSERT INTO "task" VALUES(22,2,1,2,NULL,25,26,27,4,0,0,1795973492517280736,4023056605,'Task failed: Data could not be sent to remote host "10.213.131.158". Make sure this host can be reached over ssh:');
INSERT INTO "task" VALUES(25,1,1,2,NULL,3,24,5,0,0,0,1795973503252669948,6014271295,NULL);
INSERT INTO "task" VALUES(25,2,1,2,NULL,25,26,27,0,0,0,1795973509279451775,4747139418,NULL);
INSERT INTO "task" VALUES(25,3,1,2,NULL,28,29,11,1,0,0,1795973514070525532,1987631445,NULL);
INSERT INTO "task" VALUES(25,4,1,2,NULL,30,31,16,2,0,0,1795973516086054370,241566024,NULL);
INSERT INTO "task" VALUES(25,5,1,2,NULL,32,33,19,0,8,0,1795973516480207334,116312252,NULL);
CREATE INDEX machine_target ON machine (target, removed_ns, id);
CREATE INDEX run_open ON run (target) WHERE outcome IS NULL;
CREATE INDEX run_tail ON run (substr(id, -8));
CREATE INDEX task_bad ON task (step) WHERE status >= 3;
CREATE INDEX event_run ON event (run, kind);
CREATE UNIQUE INDEX event_lost ON event (run, step, at_ns, host) WHERE kind = 'unreachable';
CREATE VIEW phase_timing AS
  SELECT run.id AS run, run.target AS target, step.name AS step, step.attempt AS attempt,
    step.transport AS transport, run.fresh AS fresh, run.ansible AS ansible, step.outcome AS outcome,
    step.started_ns AS started_ns, step.duration_ns AS duration_ns
  FROM step JOIN run ON run.number = step.run
  WHERE step.kind = 'phase' AND run.partial = 0;
CREATE VIEW unreachable AS
  SELECT run.id AS run, step.name AS step, event.at_ns AS at_ns, event.host AS host, event.task AS task,
    event.cause AS cause, event.cause_source AS cause_source, event.message AS message,
    event.ignored AS ignored, event.transport AS transport
  FROM event JOIN run ON run.number = event.run
  LEFT JOIN step ON step.run = event.run AND step.seq = event.step
  WHERE event.kind = 'unreachable';
CREATE VIEW slowest_task AS
  SELECT run.id AS run, step.name AS step, host.text AS host, role.text AS role, title.text AS task,
    path.text AS path, task.duration_ns AS duration_ns
  FROM task JOIN step ON step.number = task.step JOIN run ON run.number = step.run
  LEFT JOIN name AS host ON host.number = task.host
  LEFT JOIN name AS role ON role.number = task.role
  LEFT JOIN name AS title ON title.number = task.task
  LEFT JOIN name AS path ON path.number = task.path
  ORDER BY task.duration_ns DESC;
CREATE VIEW role_timing AS
  SELECT run.id AS run, step.name AS step, host.text AS host, role.text AS role, count(*) AS tasks,
    CAST(total(task.duration_ns) AS INTEGER) AS duration_ns
  FROM task JOIN step ON step.number = task.step JOIN run ON run.number = step.run
  LEFT JOIN name AS host ON host.number = task.host
  LEFT JOIN name AS role ON role.number = task.role
  GROUP BY run.id, step.name, host.text, role.text;
CREATE VIEW health_window AS
  WITH turn AS (
    SELECT run, at_ns, healthy, healthy IS NOT lag(healthy) OVER (PARTITION BY run ORDER BY at_ns) AS turned
    FROM sample WHERE kind = 'health' AND healthy IS NOT NULL),
  part AS (
    SELECT run, at_ns, healthy, sum(turned) OVER (PARTITION BY run ORDER BY at_ns) AS part FROM turn),
  span AS (
    SELECT run, part, healthy, min(at_ns) AS from_ns, max(at_ns) AS last_ns FROM part GROUP BY run, part)
  SELECT run.id AS run, run.target AS target, span.from_ns AS from_ns,
    coalesce(lead(span.from_ns) OVER (PARTITION BY span.run ORDER BY span.from_ns), span.last_ns) AS to_ns,
    span.healthy AS healthy
  FROM span JOIN run ON run.number = span.run;
CREATE INDEX run_order ON run (merged, number DESC);
CREATE INDEX run_target ON run (target, merged, number DESC);
COMMIT;
