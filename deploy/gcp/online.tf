# The online store that NBA_FEATURES_ONLINE_STORE names, and who writes and reads it. Redis is not made here: it is reached by
# its address alone, which ../night takes from a secret.

locals {
  is_bigtable  = var.online_store == "bigtable"
  is_datastore = var.online_store == "datastore"
}

resource "google_bigtable_instance" "online" {
  count = local.is_bigtable ? 1 : 0
  name  = "nba-features"

  cluster {
    cluster_id   = "nba-features"
    zone         = var.bigtable_zone
    num_nodes    = 1
    storage_type = "SSD"
  }
}

# `feast apply` makes a table per feature view and drops those of views that are gone; bigtable.user may neither.
resource "google_project_iam_custom_role" "online_tables" {
  count       = local.is_bigtable ? 1 : 0
  role_id     = "nbaFeaturesOnlineTables"
  title       = "nba-features online tables"
  permissions = ["bigtable.tables.create", "bigtable.tables.delete", "bigtable.tables.get", "bigtable.tables.list", "bigtable.tables.update"]
}

resource "google_bigtable_instance_iam_member" "online_tables" {
  count    = local.is_bigtable ? 1 : 0
  instance = google_bigtable_instance.online[0].name
  role     = google_project_iam_custom_role.online_tables[0].id
  member   = google_service_account.duty["predictions"].member
}

resource "google_bigtable_instance_iam_member" "online" {
  for_each = local.is_bigtable ? { predictions = "roles/bigtable.user", reader = "roles/bigtable.reader" } : {}
  instance = google_bigtable_instance.online[0].name
  role     = each.value
  member   = google_service_account.duty[each.key].member
}

resource "google_firestore_database" "online" {
  count       = local.is_datastore ? 1 : 0
  name        = "(default)"
  location_id = var.region
  type        = "DATASTORE_MODE"
}

# Datastore knows no grants below the project.
resource "google_project_iam_member" "online" {
  for_each = local.is_datastore ? { predictions = "roles/datastore.user", reader = "roles/datastore.viewer" } : {}
  project  = var.project
  role     = each.value
  member   = google_service_account.duty[each.key].member
}
