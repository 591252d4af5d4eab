"""`make dashboards`: writes the Grafana dashboards of deploy/grafana.

panels     a panel, a dashboard, and their JSON
feed, workers, models   one dashboard each: what it shows
"""
