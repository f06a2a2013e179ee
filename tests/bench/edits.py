"""What people and `pihole -g` do to ph1 before a program is measured."""
import os
import shutil
import sqlite3
import subprocess


class Edits:
    def __init__(self, hosts):
        self.hosts, self.count = hosts, 0

    def nothing(self):
        pass

    def one_domain(self):
        return self.domains(1)

    def many_domains(self):
        return self.domains(500)

    def domains(self, number):
        """The last of the names, which must be blocked afterwards."""
        self.count += 1
        names = [(f"bench-{self.count}-{i}.example.com",) for i in range(number)]
        with sqlite3.connect(self.hosts.gravity("ph1"), timeout=10) as db:
            db.executemany("INSERT INTO domainlist (type, domain) VALUES (1, ?)", names)
        db.close()
        return names[-1][0]

    def tidy(self):
        """Takes the domains away again, so that one case does not make the next one's lists longer."""
        with sqlite3.connect(self.hosts.gravity("ph1"), timeout=10) as db:
            db.execute("DELETE FROM domainlist WHERE domain LIKE 'bench-%'")
        db.close()

    def adlist(self):
        with sqlite3.connect(self.hosts.gravity("ph1"), timeout=10) as db:
            db.execute("UPDATE adlist SET enabled = NOT enabled WHERE id = (SELECT adlist_id FROM gravity LIMIT 1)")
        db.close()

    def compile(self):
        """What a weekly `pihole -g` does to a percent of the domains: a new file whose pages are all new."""
        self.count += 1
        path = self.hosts.gravity("ph1")
        shutil.copy2(path, path + "_temp")
        db = sqlite3.connect(path + "_temp")
        db.execute("DELETE FROM gravity WHERE abs(random()) % 200 = 0")
        db.execute(f"INSERT INTO gravity SELECT 'c{self.count}-' || domain, adlist_id FROM gravity WHERE abs(random()) % 200 = 0")
        db.execute("CREATE TABLE shuffled AS SELECT * FROM gravity ORDER BY adlist_id, random()")
        db.execute("DELETE FROM gravity")
        db.execute("INSERT INTO gravity SELECT * FROM shuffled")
        db.execute("DROP TABLE shuffled")
        db.execute("UPDATE info SET value = value + 60 WHERE property = 'updated'")
        db.commit()
        db.execute("VACUUM")
        db.close()
        os.rename(path + "_temp", path)

    def compile_seen(self):
        """The same, and ph1 has read it: what is left is the target's work."""
        self.compile()
        subprocess.run([self.hosts.binary, "--config", self.hosts.config("ph1"), "--quiet", "info"], check=True, stdout=subprocess.DEVNULL)

    def three_compiles(self):
        """Weeks in which ph2 was off, and ph1 served somebody else or looked at itself."""
        for _ in range(3):
            self.compile_seen()

    def uncompiled(self):
        """ph2's database as it was before its first `pihole -g`, while a daemon serves it."""
        self.hosts.make("fresh", 0, 7)
        os.rename(self.hosts.gravity("fresh"), self.hosts.gravity("ph2"))

    def fresh_target(self):
        """The same household, whose blocklist was never compiled."""
        self.hosts.make("ph2", 0, 7)
        for name in ("rsync.db", "scp.db"):
            if os.path.exists(f"{self.hosts.root}/{name}"):
                os.unlink(f"{self.hosts.root}/{name}")
